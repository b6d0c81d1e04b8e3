//! `segue completions`: prints a completion script for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::{error::Error, exit_code::ExitCode, output};

/// Print a completion script for a shell
///
/// Write it to the place where your shell looks for completions, and start a new shell.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  segue completions bash > ~/.local/share/bash-completion/completions/segue
  segue completions fish > ~/.config/fish/completions/segue.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

// === impl Completions ===

impl Completions {
    /// Prints the script for this command line.
    pub(crate) fn run(&self, mut command_line: clap::Command) -> Result<ExitCode, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command_line, "segue", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(ExitCode::Done)
    }
}
