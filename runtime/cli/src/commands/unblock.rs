//! `segue unblock`: a file may be loaded again.

use clap::Args;
use segue::{Digest, Unblocked};

use crate::{Context, Error, ExitCode, story::short};

/// Let a file be loaded again that was blocked
///
/// Where it is not blocked nothing is done, which is said, and the exit code is 0.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example:\n  segue blocked\n  segue unblock sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)]
pub struct Unblock {
    /// The SHA-256 of the file, as `segue blocked` shows it
    digest: Digest,
}

// === impl Unblock ===

impl Unblock {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let unblocked = context.client().unblock(&self.digest).await?;
        context.format.print(&unblocked, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(unblocked: &Unblocked) -> String {
    let digest = short(&unblocked.digest);
    match unblocked.unblocked {
        true => format!("{digest} is not blocked any more: it may be loaded\n"),
        false => format!("{digest} is not blocked: nothing was done\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_whether_anything_was_done() {
        let done = Unblocked { digest: Digest::of(b""), unblocked: true };
        assert_eq!(render(&done), "sha256:e3b0c44298fc is not blocked any more: it may be loaded\n");
        let nothing = Unblocked { unblocked: false, ..done };
        assert_eq!(render(&nothing), "sha256:e3b0c44298fc is not blocked: nothing was done\n");
    }
}
