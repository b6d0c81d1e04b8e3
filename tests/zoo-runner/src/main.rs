//! Builds the modules of `tests/zoo`, releases each under traffic in its own process, and compares the result
//! with the row in the module's `Cargo.toml`.

#![forbid(unsafe_code)]

mod child;
mod report;
mod row;

use std::{
    env,
    error::Error,
    fs::{self, File},
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use crate::{child::Plan, report::Report, row::Row};

/// The rows that `.ci/run` covers: quick to build, and at least one of each class.
const QUICK: [&str; 13] = [
    "zbgthread",
    "zcpool",
    "zcpp",
    "zcppstatic",
    "zcsigchain",
    "zctimer",
    "zdashmap",
    "zhostpool",
    "zopenmp",
    "zrayon",
    "zregex",
    "zsighook",
    "ztlsdrop",
];

/// The time limit for one row, without its releases. A child that takes longer counts as hung.
const ROW_TIMEOUT: Duration = Duration::from_secs(60);

/// The time limit for one release.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(21);

/// Release the modules of the zoo under traffic.
#[derive(Parser)]
struct Arguments {
    /// Cover all rows, not only the quick ones
    #[arg(long)]
    full: bool,
    /// Cover only this row; may be repeated
    #[arg(long)]
    only: Vec<String>,
    /// The number of releases of each module
    #[arg(long, default_value_t = 10)]
    releases: u32,
    /// The time in milliseconds after which the runtime ends threads that only wait [default: the runtime's
    /// 5000]. A release of a module with such threads takes at least this long
    #[arg(long, value_name = "MS")]
    idle_thread_timeout: Option<u64>,
    /// Release this file in this process. The runner starts itself with this option
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "FILE"])]
    child: Vec<String>,
    /// Delete the module at the end
    #[arg(long, hide = true)]
    deletes: bool,
    /// The start of the reason for which versions stay
    #[arg(long, hide = true)]
    reason: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.child.as_slice() {
        [name, file] => {
            let plan = Plan {
                releases: arguments.releases,
                idle_thread_timeout: arguments.idle_thread_timeout.map(Duration::from_millis),
                deletes: arguments.deletes,
                reason: arguments.reason.clone(),
            };
            child::run(name, Path::new(file), &plan).map(|()| true)
        }
        _ => run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Releases the chosen rows. Returns whether all results match their rows.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zoo");
    let all = row::read(&zoo)?;
    row::check_table(&zoo, &all)?;
    let chosen: Vec<Row> = all.into_iter().filter(|row| is_chosen(arguments, &row.name)).collect();
    if chosen.is_empty() {
        return Err("no row has that name: `ls tests/zoo` lists them".into());
    }
    build(&zoo, &chosen)?;
    let mut do_all_match = true;
    for row in &chosen {
        let report = release(&zoo, row, arguments)?;
        let verdict = report.verdict(row, arguments.releases);
        do_all_match &= verdict.is_ok();
        println!("{:14} {:8} {report} {}", row.name, row.expect, verdict.err().unwrap_or("as expected"));
    }
    Ok(do_all_match)
}

fn is_chosen(arguments: &Arguments, name: &str) -> bool {
    if arguments.only.is_empty() {
        arguments.full || QUICK.contains(&name)
    } else {
        arguments.only.iter().any(|only| only == name)
    }
}

fn build(zoo: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build").arg("--locked").current_dir(zoo).env_remove("CARGO_TARGET_DIR");
    for row in rows {
        cargo.args(["-p", &row.name]);
    }
    if cargo.status()?.success() {
        Ok(())
    } else {
        Err("the zoo does not build: see cargo's output above".into())
    }
}

/// Releases one module in a child process, which may crash, and sends it the row's signal meanwhile.
fn release(zoo: &Path, row: &Row, arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let file = zoo.join(format!("target/debug/lib{}.so", row.name));
    let output = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("--releases").arg(arguments.releases.to_string());
    if let Some(timeout) = arguments.idle_thread_timeout {
        command.arg("--idle-thread-timeout").arg(timeout.to_string());
    }
    if row.is_deleted() {
        command.arg("--deletes");
    }
    if row.expect == "kept" {
        command.arg("--reason").arg(&row.reason);
    }
    let mut child = command
        .arg("--child")
        .arg(&row.name)
        .arg(&file)
        .stdout(Stdio::from(File::create(output.path())?))
        .stderr(Stdio::null())
        .spawn()?;
    let start = Instant::now();
    let mut signals = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if start.elapsed() > ROW_TIMEOUT + RELEASE_TIMEOUT * arguments.releases {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
        // Before the first load nothing handles the signal, and its default action ends the process.
        if let Some(signal) = &row.signal
            && fs::read_to_string(output.path())?.contains(child::LOADED)
        {
            Command::new("kill")
                .arg(format!("-{signal}"))
                .arg(child.id().to_string())
                .stderr(Stdio::null())
                .status()?;
            signals += 1;
        }
    };
    Ok(Report::read(&fs::read_to_string(output.path())?, status, signals))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        row::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../zoo")).unwrap()
    }

    #[test]
    fn the_guide_has_exactly_the_rows() {
        let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zoo");
        let mut rows = rows();
        row::check_table(&zoo, &rows).unwrap();
        // The control: a row with another result, and a missing row.
        rows[0].expect.push('x');
        row::check_table(&zoo, &rows).unwrap_err();
        rows.remove(0);
        row::check_table(&zoo, &rows).unwrap_err();
    }

    #[test]
    fn the_quick_rows_exist_and_cover_each_class() {
        let quick: Vec<Row> = rows().into_iter().filter(|row| QUICK.contains(&row.name.as_str())).collect();
        assert_eq!(quick.len(), QUICK.len());
        for class in ["works", "setting", "kept"] {
            assert!(quick.iter().any(|row| row.expect == class), "{class}");
        }
        assert!(quick.iter().any(|row| row.signal.is_some()));
    }
}
