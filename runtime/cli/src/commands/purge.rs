//! `segue purge`: asks the calls inside old to come to their end, and takes it out of memory.

use clap::Args;

use super::{deadline::Deadline, purged};
use crate::{Context, Error, ExitCode, progress};

/// Ask the calls inside the old version of a module to come to their end, and take it out of memory
///
/// Where something still keeps it there at the deadline, it says what, and exits with 5. Nothing is cut off: the version is put in
/// quarantine, so that a new one can be loaded, and leaves memory when it is let go.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue purge greeter --deadline 30s")]
pub struct Purge {
    /// The module's name
    module: String,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    deadline: Deadline,
}

// === impl Purge ===

impl Purge {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let client = context.client();
        let purge = client.purge(&self.module, self.deadline.duration());
        let what = format!("purging {}", self.module);
        let answer = progress::while_waiting(context, &what, Some(&self.module), purge).await?;
        context.format.print(&answer, purged::render)?;
        Ok(purged::exit_code(&answer))
    }
}
