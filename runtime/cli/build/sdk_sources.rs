//! Lists the sources of the SDK. No registry has them, so `segue new` writes a copy next to each new module.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The crates that a module is built from: the folder in the workspace, and the folder below `vendor`.
const CRATES: &[(&str, &str)] = &[
    ("runtime/sdk", "segue-sdk"),
    ("runtime/abi", "segue-abi"),
    ("runtime/interface", "segue-interface"),
    ("runtime/macros", "segue-macros"),
];

/// Writes `sdk_sources.rs` into the output directory: pairs of a path below `vendor` and the text of the
/// file. Makes cargo run the script again when one of the files changes.
pub(crate) fn write_list(workspace: &Path) -> io::Result<()> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for a build script"));
    let mut files = Vec::new();
    for (folder, name) in CRATES {
        let folder = workspace.join(folder);
        for part in ["Cargo.toml", "build.rs", "src"] {
            let path = folder.join(part);
            // Cargo counts a missing path as changed, each time.
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
            collect(&path, &format!("{name}/{part}"), &mut files)?;
        }
    }
    // The licence goes with the sources.
    for entry in fs::read_dir(workspace)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("LICENSE-") {
            collect(&workspace.join(&name), &name, &mut files)?;
        }
    }
    files.sort();
    for (name, source) in &mut files {
        if let Some(package) = name.strip_suffix("/Cargo.toml") {
            *source = rewrite_manifest(package, source, &out_dir)?;
        }
    }
    let mut list = String::from("&[\n");
    for (name, source) in &files {
        list.push_str(&format!("    ({name:?}, include_str!({source:?})),\n"));
    }
    list.push_str("]\n");
    fs::write(out_dir.join("sdk_sources.rs"), list)
}

/// Collects a file, or all files below a folder. Does nothing if the path is missing.
fn collect(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            collect(&entry.path(), &below, files)?;
        }
    } else if path.is_file() {
        files.push((name.to_owned(), path.to_owned()));
    }
    Ok(())
}

/// Rewrites the paths in a manifest: below `vendor`, the folder of a crate has the name of the crate.
fn rewrite_manifest(package: &str, manifest: &Path, out_dir: &Path) -> io::Result<PathBuf> {
    let mut text = fs::read_to_string(manifest)?;
    for (folder, name) in CRATES {
        let folder = folder.rsplit('/').next().unwrap_or(folder);
        text = text.replace(&format!("path = \"../{folder}\""), &format!("path = \"../{name}\""));
    }
    let rewritten = out_dir.join(format!("{package}.Cargo.toml"));
    fs::write(&rewritten, text)?;
    Ok(rewritten)
}
