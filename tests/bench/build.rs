//! Builds the modules that are measured, each in two versions, since a file that is current already is not loaded again.

use std::process::ExitCode;

#[path = "../../runtime/cli/build/modules.rs"]
mod modules;

/// The modules; `src/files.rs` names them too.
const MODULES: [&str; 3] = ["silent", "everything", "textkit"];

fn main() -> ExitCode {
    modules::script(2, |workspace, out_dir| {
        let watched =
            ["tests/fixtures/silent", "tests/fixtures/everything", "modules/textkit", "tests/bench"];
        modules::rerun_if_changed(workspace, &watched);
        let builder = modules::ModuleBuilder::for_build_script(workspace);
        for version in ["1.0.0", "1.1.0"] {
            let batch = modules::Batch { packages: &MODULES, version: Some(version), features: &[] };
            builder.build(&batch, &out_dir.join(version))?;
        }
        println!("cargo::rustc-env=SEGUE_BENCH_MODULES={}", out_dir.display());
        Ok::<(), modules::BuildError>(())
    })
}
