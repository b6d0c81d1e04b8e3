//! Builds the modules that the examples load.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds a module of this workspace with this version number, and returns its file. The first build takes a
/// minute.
pub(crate) fn build(package: &str, version: &str, features: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    println!("building {package} {version}");
    // Next to the compiled example, so that it does not depend on the current directory.
    let directory = env::current_exe()?.with_file_name("modules");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--package", package, "--features", &features.join(",")])
        .arg("--target-dir")
        .arg(&directory)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("SEGUE_MODULE_VERSION", version)
        .status()?;
    if !status.success() {
        return Err(format!("cargo could not build {package} {version}").into());
    }
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let built = directory.join("release").join(format!("{prefix}{}{suffix}", package.replace('-', "_")));
    // Cargo keeps one file for each package, so the next version would overwrite it.
    let copy = directory.join(format!("{package}-{version}{suffix}"));
    fs::copy(built, &copy)?;
    Ok(copy)
}
