//! Embeds the sources of the SDK, for `segue new`.

use std::{env, path::Path, process::ExitCode};

#[path = "build/sdk_sources.rs"]
mod sdk_sources;

fn main() -> ExitCode {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for a build script");
    let workspace = Path::new(&package).ancestors().nth(2).expect("the package is in the workspace");
    for own in ["build.rs", "build"] {
        println!("cargo::rerun-if-changed={own}");
    }
    match sdk_sources::write_list(workspace) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("listing the sources of the SDK: {error}");
            ExitCode::FAILURE
        }
    }
}
