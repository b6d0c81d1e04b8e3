//! `segue stick`: makes a module refuse to be replaced.

use clap::Args;

use crate::{context::Context, error::Error, exit_code::ExitCode, view::stickiness};

/// Make a module sticky: it refuses to be replaced and deleted
///
/// A load of another version is refused with the code `sticky` and exit code 3, also after a restart, until
/// `segue unstick`. A rollback to the old version in memory is still possible. A module can also be sticky by
/// its own metadata.
///
/// Exits with 0, also if the module is already sticky.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue stick greeter")]
pub(crate) struct Stick {
    /// The module's name
    module: String,
}

// === impl Stick ===

impl Stick {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let stickiness = context.client().stick(&self.module).await?;
        context.format.print(&stickiness, stickiness::render)?;
        Ok(ExitCode::Done)
    }
}
