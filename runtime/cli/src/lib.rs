//! The command `segue`: everything that is printed to a person.
//!
//! [`main`] reads the command line, runs one command, and says how it ended: with an [`ExitCode`], and where it failed,
//! with a message and a hint. Each command is a file in [`commands`], with its options, what it does, and how it says so
//! to a person and to a script (`--json`). Nothing is decided here: what a command does to a running service it asks of
//! the service's control socket (`segue-control`).
//!
//! * [`cli`]: the command line as a whole.
//! * [`commands`]: one file per command.
//! * `story`: events, told to a person.
//! * [`Error`] and [`ExitCode`]: how a command fails.
//! * [`Format`]: for a person or for a script.

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

/// Runs the command with these arguments, the first of which is the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(usage) => return tell_usage(&usage, &args),
    };
    let format = cli.format();
    cli.run().unwrap_or_else(|error| {
        output::print_error(&error, format);
        error.exit_code()
    })
}

/// Says what is wrong with the command line, or what was asked for instead of a command: help, or the version.
fn tell_usage(usage: &clap::Error, args: &[OsString]) -> ExitCode {
    let asked_for = match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Some(ExitCode::Done),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Some(ExitCode::Usage),
        _ => None,
    };
    if let Some(exit_code) = asked_for {
        // Where nobody reads it, there is nobody to tell.
        drop(usage.print());
        return exit_code;
    }
    // The command line could not be read, and yet a script that wants JSON is to get JSON.
    let wants_json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let format = if wants_json { Format::Json } else { Format::Human };
    let error = Error::usage(usage);
    output::print_error(&error, format);
    error.exit_code()
}
