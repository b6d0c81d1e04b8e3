//! The command `segue`. All text that a person reads is in this crate.
//!
//! [`main`] parses the command line, runs one command, and returns an [`ExitCode`]. If the command fails, it
//! also prints a message and a hint. Each command is a file in [`commands`] with its options, its work, and
//! its output as text and as JSON (`--json`). The commands contain no policy: they change a running service
//! through its control socket (`segue-control`).
//!
//! * [`cli`]: the command line: global options and the list of commands.
//! * [`commands`]: one file per command.
//! * `story`: events, told to a person.
//! * [`Error`] and [`ExitCode`]: why a command failed, and its exit code.
//! * [`Format`]: text or JSON.

#![forbid(unsafe_code)]

pub mod cli;
pub mod commands;
mod context;
mod error;
mod exit_code;
mod output;
mod progress;
mod story;
mod table;
mod text;

use std::ffi::OsString;

use clap::{Parser, error::ErrorKind};

pub use cli::Cli;
pub use context::Context;
pub use error::Error;
pub use exit_code::ExitCode;
pub use output::Format;

/// Runs the command with these arguments. The first one is the name of the program.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(usage) => return print_usage(&usage, &args),
    };
    let format = cli.format();
    cli.run().unwrap_or_else(|error| {
        output::print_error(&error, format);
        error.exit_code()
    })
}

/// Prints what clap returns instead of a command: the help, the version, or an error of the command line.
fn print_usage(usage: &clap::Error, args: &[OsString]) -> ExitCode {
    let requested = match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Some(ExitCode::Done),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Some(ExitCode::Usage),
        _ => None,
    };
    if let Some(exit_code) = requested {
        // An error means that nobody reads the output.
        drop(usage.print());
        return exit_code;
    }
    // The command line could not be parsed, but a script that passes `--json` still gets JSON.
    let wants_json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let format = if wants_json { Format::Json } else { Format::Human };
    let error = Error::usage(usage);
    output::print_error(&error, format);
    error.exit_code()
}
