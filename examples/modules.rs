//! Has cargo build the modules that the examples load.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Has cargo build a module of this workspace, stamped with a version. A second time, that takes a moment.
pub(crate) fn build(package: &str, version: &str, features: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    println!("building {package} {version}");
    // Beside the programs of the examples, and not where they are run from.
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
    // Cargo keeps one file a package, so the next version would overwrite it.
    let kept = directory.join(format!("{package}-{version}{suffix}"));
    fs::copy(built, &kept)?;
    Ok(kept)
}
