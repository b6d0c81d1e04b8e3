//! Builds the module that is called for `dispatch.bytes`.

use std::process::ExitCode;

#[path = "../../runtime/cli/build/modules.rs"]
mod modules;

/// The module; `src/dispatch/served.rs` names it too.
const MODULE: &str = "silent";

fn main() -> ExitCode {
    modules::script(2, |workspace, out_dir| {
        modules::rerun_if_changed(workspace, &["tests/fixtures/silent", "tests/bench"]);
        let builder = modules::ModuleBuilder::for_build_script(workspace);
        let batch = modules::Batch { packages: &[MODULE], version: Some("1.0.0"), features: &[] };
        builder.build(&batch, out_dir)?;
        let file = out_dir.join(builder.file_name(MODULE));
        println!("cargo::rustc-env=SEGUE_BENCH_MODULE={}", file.display());
        Ok::<(), modules::BuildError>(())
    })
}
