//! `segue demo`: the main job, on an embedded default.

use clap::Args;

use crate::{
    Context, Error, ExitCode,
    demo::{self, Options},
};

/// Watch a service being replaced under load, with nothing to prepare
///
/// Serves a module on a free port of this machine, keeps clients at full speed on it, and releases new versions
/// meanwhile: by files that are dropped in, over the control socket, and back again. It checks every answer, and tells
/// in the end what the clients noticed. It takes at most 20 seconds, and leaves nothing behind. It exits with 8 if a
/// request was lost, or an old version stayed in memory.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue demo\n  segue demo --json")]
pub struct Demo {}

// === impl Demo ===

impl Demo {
    pub(crate) fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let report = demo::run(&Options { format: context.format })?;
        context.format.print(&report, ToString::to_string)?;
        Ok(report.exit_code())
    }
}
