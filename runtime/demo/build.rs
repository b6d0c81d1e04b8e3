//! Builds two versions of the sample module `greeter` and embeds them, because `segue demo` must run without
//! a checkout.

use std::{path::Path, process::ExitCode};

#[path = "build/modules.rs"]
mod modules;

/// The module to embed, and its versions. `src/embedded.rs` lists the same versions.
const MODULE: &str = "greeter";
const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];

fn main() -> ExitCode {
    modules::script(2, embed)
}

fn embed(workspace: &Path, out_dir: &Path) -> Result<(), modules::BuildError> {
    modules::rerun_if_changed(workspace, &["modules/greeter"]);
    let builder = modules::ModuleBuilder::for_build_script(workspace);
    for version in VERSIONS {
        let batch = modules::Batch { packages: &[MODULE], version: Some(version), features: &[] };
        builder.build(&batch, &out_dir.join(version))?;
    }
    println!("cargo::rustc-env=SEGUE_EMBEDDED_MODULE={}", builder.file_name(MODULE));
    Ok(())
}
