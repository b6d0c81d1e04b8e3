//! `segue soft-purge`: unloads the old version if nothing keeps it.

use clap::Args;

use crate::{context::Context, error::Error, exit_code::ExitCode, view::purged};

/// Unload the old version of a module if no call is inside it
///
/// It does not wait, and it ends no call.
///
/// Exits with 0 if the old version is unloaded or there is none. Exits with 5 if something keeps it, and
/// shows what.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue soft-purge greeter")]
pub(crate) struct SoftPurge {
    /// The module's name
    module: String,
}

// === impl SoftPurge ===

impl SoftPurge {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let answer = context.client().soft_purge(&self.module).await?;
        context.format.print(&answer, purged::render)?;
        Ok(purged::exit_code(&answer))
    }
}
