//! The row in each module's `Cargo.toml`, and the table in the guide.

use std::{error::Error, fs, path::Path, process::Command};

use serde_json::Value;

/// The page with the table, relative to the zoo.
const GUIDE: &str = "../../runtime/host/guide/crates.md";

/// One module of the zoo.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) krate: String,
    /// `works`, `setting` or `kept`.
    pub(crate) expect: String,
    /// The setting, or why the module is kept.
    pub(crate) note: String,
    /// The start of the runtime's reason, for a row that is kept.
    pub(crate) reason: String,
    /// The signal that the module handles, by its name for `kill`.
    pub(crate) signal: Option<String>,
}

impl Row {
    /// Whether the runner deletes the module at the end. Afterwards the row's signal would end the process.
    pub(crate) fn is_deleted(&self) -> bool {
        self.expect != "kept" && self.signal.is_none()
    }
}

/// Returns the rows, sorted by name.
pub(crate) fn read(zoo: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(zoo)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let mut rows = packages.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

fn row(package: &Value) -> Result<Row, Box<dyn Error>> {
    let zoo = &package["metadata"]["zoo"];
    let text = |key: &str| zoo[key].as_str().map(str::to_owned);
    let name = package["name"].as_str().ok_or("a package without a name")?.to_owned();
    let expect = text("expect").filter(|e| ["works", "setting", "kept"].contains(&e.as_str()));
    let expect = expect.ok_or_else(|| format!("{name}: `expect` is none of works, setting, kept"))?;
    let note = text("setting").or_else(|| text("why")).unwrap_or_default();
    if expect != "works" && note.is_empty() {
        return Err(format!("{name}: add `setting` or `why`").into());
    }
    let krate = text("crate").ok_or_else(|| format!("{name}: `crate` is missing"))?;
    let reason = text("reason").unwrap_or_else(|| "kept: links".to_owned());
    Ok(Row { name, krate, expect, note, reason, signal: text("signal") })
}

/// Compares the table in the guide with the rows.
pub(crate) fn check_table(zoo: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let guide = fs::read_to_string(zoo.join(GUIDE))?;
    let table: Vec<&str> = guide.lines().filter(|line| line.ends_with("` |")).collect();
    for row in rows {
        let line = format!("| {} | {} | {} | `{}` |", row.krate, row.expect, row.note, row.name);
        if !table.contains(&line.as_str()) {
            return Err(format!("add this line to runtime/host/guide/crates.md:\n{line}").into());
        }
    }
    if table.len() != rows.len() {
        return Err("runtime/host/guide/crates.md has a row without a module: delete the row".into());
    }
    Ok(())
}
