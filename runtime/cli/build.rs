//! Puts into the command what it has to bring along to a machine without a checkout: two versions of a module, for
//! `segue demo`, and the sources of the SDK, for `segue new`.

use std::{path::Path, process::ExitCode};

#[path = "build/modules.rs"]
mod modules;
#[path = "build/sdk_sources.rs"]
mod sdk_sources;

/// The module that is embedded, and its versions; `src/embedded.rs` names them too.
const MODULE: &str = "greeter";
const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];

fn main() -> ExitCode {
    modules::script(2, |workspace, out_dir| -> Result<(), String> {
        modules::rerun_if_changed(workspace, &["modules/greeter"]);
        embed(workspace, out_dir).map_err(|error| error.to_string())?;
        sdk_sources::write_list(workspace).map_err(|error| format!("listing the sources of the SDK: {error}"))
    })
}

fn embed(workspace: &Path, out_dir: &Path) -> Result<(), modules::BuildError> {
    let builder = modules::ModuleBuilder::for_build_script(workspace);
    for version in VERSIONS {
        let batch = modules::Batch { packages: &[MODULE], version: Some(version), features: &[] };
        builder.build(&batch, &out_dir.join(version))?;
    }
    println!("cargo::rustc-env=SEGUE_EMBEDDED_MODULE={}", builder.file_name(MODULE));
    Ok(())
}
