//! `segue demo`: shows a replacement under load.

mod progress;
mod report;

use clap::Args;

use crate::{context::Context, error::Error, exit_code::ExitCode};
use progress::Progress;

/// Watch a service being replaced under load; needs no setup
///
/// Serves an embedded module on a free port of this machine, sends requests at full speed, and meanwhile
/// releases new versions: by putting files into the modules directory, by loads over the control socket, and
/// by rollbacks. It checks every answer and reports what the clients noticed. It takes at most 20 seconds and
/// leaves no files behind.
///
/// Exits with 8 if a request was lost, or an old version stayed in memory.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue demo\n  segue demo --json")]
pub(crate) struct Demo {}

// === impl Demo ===

impl Demo {
    pub(crate) fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let progress = Progress::new(context.format);
        let report = segue_demo::run(&progress);
        progress.clear();
        let report = report?;
        context.format.print(&report, report::render)?;
        Ok(if report.is_success() { ExitCode::Done } else { ExitCode::Found })
    }
}
