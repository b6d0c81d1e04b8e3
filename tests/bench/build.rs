//! Builds the measured modules, each in two versions, because the runtime does not reload a file that is
//! current.

use std::process::ExitCode;

#[path = "../../runtime/demo/build/modules.rs"]
mod modules;

/// The modules that the commands load.
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
