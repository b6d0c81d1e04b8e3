//! `segue unblock`: allows a blocked file again.

use clap::Args;
use segue::{Digest, Unblocked};

use crate::{context::Context, error::Error, exit_code::ExitCode, view::version::short_digest};

/// Allow a blocked file to be loaded again
///
/// Exits with 0, also if the file is not blocked; then nothing changes.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example:\n  segue blocked\n  segue unblock sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)]
pub(crate) struct Unblock {
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
    let digest = short_digest(&unblocked.digest);
    match unblocked.unblocked {
        true => format!("{digest} is unblocked: it may be loaded\n"),
        false => format!("{digest} is not blocked; nothing changed\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_whether_anything_changed() {
        let done = Unblocked { digest: Digest::of(b""), unblocked: true };
        assert_eq!(render(&done), "sha256:e3b0c44298fc is unblocked: it may be loaded\n");
        let unchanged = Unblocked { unblocked: false, ..done };
        assert_eq!(render(&unchanged), "sha256:e3b0c44298fc is not blocked; nothing changed\n");
    }
}
