//! `segue blocked`: lists the blocked files.

use clap::Args;
use segue::BlockedFile;

use crate::{context::Context, error::Error, exit_code::ExitCode, text::clean};

/// List the files that no load accepts, and why
///
/// A version that crashes the process during its trial, or shortly after its load, is blocked by the digest
/// of its file, so that a restart does not crash the same way. `segue unblock` allows the file again.
///
/// Exits with 0, also if no file is blocked.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue blocked")]
pub(crate) struct Blocked {}

// === impl Blocked ===

impl Blocked {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let blocked = context.client().blocked().await?;
        context.format.print(&blocked, |blocked| render(blocked))?;
        Ok(ExitCode::Done)
    }
}

fn render(blocked: &[BlockedFile]) -> String {
    if blocked.is_empty() {
        return "no file is blocked\n".to_owned();
    }
    let one = |BlockedFile { module, version, digest, why }: &BlockedFile| {
        let (module, version, why) = (clean(module), clean(version), clean(why));
        format!(
            "{module} {version}  {digest}\n  why:  {why}\n  next: `segue unblock {digest}` allows it again\n"
        )
    };
    blocked.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use segue::Digest;

    use super::*;

    #[test]
    fn each_file_has_its_reason_and_the_command_to_unblock_it() {
        assert_eq!(render(&[]), "no file is blocked\n");
        let file = BlockedFile {
            module: "greeter".to_owned(),
            version: "1.1.0".to_owned(),
            digest: Digest::of(b""),
            why: "SIGSEGV in it".to_owned(),
        };
        let digest = Digest::of(b"");
        let expected = format!(
            "greeter 1.1.0  {digest}\n  why:  SIGSEGV in it\n  next: `segue unblock {digest}` allows it again\n"
        );
        assert_eq!(render(&[file]), expected);
    }
}
