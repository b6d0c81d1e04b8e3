//! `segue purge`: asks the calls inside the old version to end, and unloads it.

use clap::Args;

use crate::{
    context::Context, duration::DurationArg, error::Error, exit_code::ExitCode, progress, view::purged,
};

/// Ask the calls inside the old version of a module to end, and unload it
///
/// No call is cut off. If something still keeps the version at the deadline, it is quarantined, so that a new
/// version can be loaded, and it is unloaded when nothing keeps it any more.
///
/// Exits with 0 if the old version is unloaded or there is none. Exits with 5 if something still keeps it at
/// the deadline, and shows what.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue purge greeter --deadline 30s")]
pub(crate) struct Purge {
    /// The module's name
    module: String,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    deadline: DurationArg,
}

// === impl Purge ===

impl Purge {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let client = context.client();
        let purge = client.purge(&self.module, self.deadline.duration());
        let action = format!("purging {}", self.module);
        let answer = progress::while_waiting(context, &action, Some(&self.module), purge).await?;
        context.format.print(&answer, purged::render)?;
        Ok(purged::exit_code(&answer))
    }
}
