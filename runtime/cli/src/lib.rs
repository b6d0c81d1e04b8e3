//! The command `segue`: everything that it prints for a person.
//!
//! [`main`] parses the command line, runs one command, and returns an [`ExitCode`]. If the command failed, it
//! prints a message and a hint. This crate decides nothing about a running service: a command sends a request
//! to the service's control socket (`segue-control`), and prints the answer as text, or as JSON with
//! `--json`.
//!
//! The rooms, from top to bottom. A file imports only from its own room and from rooms below it:
//!
//! * `cli`: the command line.
//! * `commands`: one file per command.
//! * `probe`: the engine of `segue probe`.
//! * `progress`: what a long command waits for.
//! * `event_text`: the text of events.
//! * `view`: text that several commands share.
//! * `context`: what all commands share; `output`: text or JSON; `error` and `exit_code`: how a command
//!   fails.
//! * `module_crate`: the crate that `segue new` writes.
//! * `settings`: the settings of `segue serve`; `control_path`: the path of the control socket.
//! * `duration`, `table`, `text`: parsing and formatting.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod context;
mod control_path;
mod duration;
mod error;
mod event_text;
mod exit_code;
mod module_crate;
mod output;
mod probe;
mod progress;
mod settings;
mod table;
#[cfg(test)]
mod test_data;
mod text;
mod view;

use std::ffi::OsString;

use clap::{Parser, error::ErrorKind};

use crate::{cli::Cli, error::Error, output::Format};

pub use exit_code::ExitCode;

/// Runs the command with these arguments. The first one is the name of the program.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error, &args),
    };
    let format = cli.format();
    cli.run().unwrap_or_else(|error| {
        output::print_error(&error, format);
        error.exit_code()
    })
}

/// Prints the help, the version, or what is wrong with the command line.
fn print_usage(usage: &clap::Error, args: &[OsString]) -> ExitCode {
    let exit_code = match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Some(ExitCode::Done),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Some(ExitCode::Usage),
        _ => None,
    };
    if let Some(exit_code) = exit_code {
        // A failed write means that the reader is gone.
        drop(usage.print());
        return exit_code;
    }
    // The command line is invalid, but a script that wants JSON must still get JSON.
    let wants_json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let format = if wants_json { Format::Json } else { Format::Human };
    let error = Error::usage(usage);
    output::print_error(&error, format);
    error.exit_code()
}
