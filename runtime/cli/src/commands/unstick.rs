//! `segue unstick`: lets a module be replaced again.

use clap::Args;

use crate::{context::Context, error::Error, exit_code::ExitCode, view::stickiness};

/// Allow a sticky module to be replaced again
///
/// This overrides the module's own metadata too.
///
/// Exits with 0, also if the module is not sticky.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue unstick greeter")]
pub(crate) struct Unstick {
    /// The module's name
    module: String,
}

// === impl Unstick ===

impl Unstick {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let stickiness = context.client().unstick(&self.module).await?;
        context.format.print(&stickiness, stickiness::render)?;
        Ok(ExitCode::Done)
    }
}
