//! Builds the module that is called for `dispatch.bytes`.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[path = "../../runtime/cli/build/modules.rs"]
mod modules;

/// The module; `src/dispatch/served.rs` names it too.
const MODULE: &str = "silent";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), modules::BuildError> {
    let cargo_sets = "cargo sets it for a build script";
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect(cargo_sets));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect(cargo_sets));
    let workspace: &Path =
        package.ancestors().nth(2).expect("the package is two folders below the workspace");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../runtime/cli/build/modules.rs");
    modules::rerun_if_changed(workspace, &["tests/fixtures/silent", "runtime/sdk", "runtime/abi"]);

    let builder = modules::ModuleBuilder::for_build_script(workspace);
    let batch = modules::Batch { packages: &[MODULE], version: Some("1.0.0"), features: &[] };
    builder.build(&batch, &out_dir)?;
    println!("cargo::rustc-env=SEGUE_BENCH_MODULE={}", out_dir.join(builder.file_name(MODULE)).display());
    Ok(())
}
