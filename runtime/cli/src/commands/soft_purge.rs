//! `segue soft-purge`: takes old out of memory if nobody is inside.

use clap::Args;

use super::purged;
use crate::{Context, Error, ExitCode};

/// Take the old version of a module out of memory, if nobody is inside it
///
/// It does not wait. Where something keeps old in memory, it says what, and exits with 5.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue soft-purge greeter")]
pub struct SoftPurge {
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
