//! Writes a module crate that is ready to build, with a test.
//! A line belongs here if it decides what `segue new` writes.
//! Never print here, and never contact a runtime.
//!
//! No registry has the SDK, so its sources are embedded in this program, and a copy is written next to the
//! module. The crate builds on a machine that has cargo and no checkout of segue.

pub(crate) mod error;
mod name;
#[cfg(test)]
mod tests;

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::module_crate::error::NewError;

/// The written crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Created {
    /// The new directory.
    pub(crate) path: PathBuf,
    /// The files in it, sorted, as relative paths.
    pub(crate) files: Vec<PathBuf>,
}

/// The templates and their paths. Each `{{placeholder}}` is replaced.
const TEMPLATES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../templates/module/gitignore")),
    ("Cargo.toml", include_str!("../../templates/module/Cargo.toml.in")),
    ("README.md", include_str!("../../templates/module/README.md.in")),
    ("src/lib.rs", include_str!("../../templates/module/lib.rs.in")),
];

/// The sources of the SDK: paths below `vendor`, and texts. The build script lists them.
const SDK_SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk_sources.rs"));

/// Writes the crate `name` below `parent`, completely or not at all. It depends on the SDK in the directory
/// `sdk`, or on a copy.
///
/// # Errors
///
/// If the name, the directory or the SDK is not usable, or a file cannot be written. Then no file is left.
pub(crate) fn write(name: &str, sdk: Option<&Path>, parent: &Path) -> Result<Created, NewError> {
    name::check(name)?;
    let path = parent.join(name);
    // Shown as `till`, not `./till`.
    let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
    if path.symlink_metadata().is_ok() {
        return Err(NewError::Exists { path });
    }
    let files = files(name, sdk)?;
    // Written into a temporary directory and then renamed: a failure leaves nothing half done. The temporary
    // directory is removed when it is dropped.
    let failed = |source| NewError::Io { action: "create a directory in", path: parent.to_owned(), source };
    let temporary = tempfile::Builder::new().prefix(".segue-new-").tempdir_in(parent).map_err(failed)?;
    let unfinished = temporary.path().join(name);
    for (file, text) in &files {
        write_file(&unfinished.join(file), text)?;
    }
    // A directory that was created meanwhile is replaced only if it is empty.
    fs::rename(&unfinished, &path).map_err(|source| NewError::Io {
        action: "create",
        path: path.clone(),
        source,
    })?;
    Ok(Created { path, files: files.into_iter().map(|(file, _)| file).collect() })
}

/// The name that cargo gives to the built file of a module.
pub(crate) fn file_name(name: &str) -> String {
    format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_"))
}

/// The files: relative paths, sorted, and texts.
fn files(name: &str, sdk: Option<&Path>) -> Result<Vec<(PathBuf, String)>, NewError> {
    let (dependency, workspace, vendored) = match sdk {
        Some(sdk) => (dependency_on(sdk)?, "", ""),
        None => (
            "segue-sdk = { path = \"vendor/segue-sdk\" }".to_owned(),
            "exclude = [\"vendor\"]",
            "\n`vendor` has a copy of the SDK, because no registry has it. Commit it with the module, and do not change it.",
        ),
    };
    let fill = |template: &str| {
        let text = template
            .replace("{{dependency}}", &dependency)
            .replace("{{workspace}}", workspace)
            .replace("{{vendored}}", vendored)
            .replace("{{file}}", &file_name(name))
            .replace("{{name}}", name);
        // An empty replacement at the end of a file would leave a blank line.
        format!("{}\n", text.trim_end())
    };
    let mut files: Vec<(PathBuf, String)> =
        TEMPLATES.iter().map(|(file, template)| (PathBuf::from(file), fill(template))).collect();
    if sdk.is_none() {
        let vendor = Path::new("vendor");
        files.extend(SDK_SOURCES.iter().map(|(file, text)| (vendor.join(file), (*text).to_owned())));
    }
    Ok(files)
}

/// The dependency on the SDK in a directory.
fn dependency_on(sdk: &Path) -> Result<String, NewError> {
    let no_sdk = || NewError::NoSdk { path: sdk.to_owned() };
    let directory = sdk.canonicalize().map_err(|_| no_sdk())?;
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).map_err(|_| no_sdk())?;
    if !manifest.lines().any(|line| line.trim() == "name = \"segue-sdk\"") {
        return Err(no_sdk());
    }
    let path = directory.to_str().ok_or_else(|| NewError::SdkPath { path: directory.clone() })?;
    // A JSON string is a valid TOML string.
    Ok(format!("segue-sdk = {{ path = {} }}", serde_json::Value::from(path)))
}

fn write_file(path: &Path, text: &str) -> Result<(), NewError> {
    let failed = |source| NewError::Io { action: "write", path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
