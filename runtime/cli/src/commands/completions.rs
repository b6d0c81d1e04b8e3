//! `segue completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Cli, Error, ExitCode, output};

/// Print the completions for a shell
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example:\n  segue completions bash > ~/.local/share/bash-completion/completions/segue"
)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

// === impl Completions ===

impl Completions {
    pub(crate) fn run(&self) -> Result<ExitCode, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "segue", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(ExitCode::Done)
    }
}
