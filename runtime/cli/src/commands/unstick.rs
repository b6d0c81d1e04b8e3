//! `segue unstick`: a module may be replaced again.

use clap::Args;

use super::stick;
use crate::{Context, Error, ExitCode};

/// Let a module be replaced again, also where its file asks not to be
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue unstick greeter")]
pub struct Unstick {
    /// The module's name
    module: String,
}

// === impl Unstick ===

impl Unstick {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let stickiness = context.client().unstick(&self.module).await?;
        context.format.print(&stickiness, stick::render)?;
        Ok(ExitCode::Done)
    }
}
