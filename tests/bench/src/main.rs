//! The benchmark driver: what things cost, side by side with the alternatives, measured in one process and one run.
//!
//! ```text
//! cargo run --release -p segue-bench -- dispatch [--json] [--rounds N] [--quick]
//! ```
//!
//! A figure is a median of many rounds, and a round measures everything once, so that whatever the machine does besides
//! hits all alike. For a person it prints a table; with `--json`, a line of JSON a figure ([`Figure`]). On a terminal,
//! standard error shows how far it is. It exits with 0, with 1 where it could not measure, and with 2 where the command
//! line makes no sense; what a figure should be, it does not judge.
//!
//! # Where things are
//! `dispatch` is the command, and tells what each of its figures means; `figure` what all commands print, `histogram` and
//! `median` how many measurements become one, `progress` what a terminal shows.

#![forbid(unsafe_code)]

mod dispatch;
mod error;
mod figure;
mod histogram;
mod median;
mod progress;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use dispatch::Plan;
use error::Error;
use figure::{Figure, lines, table};
use progress::Progress;

/// Measures what things cost, side by side with the alternatives.
#[derive(Debug, Parser)]
#[command(name = "segue-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What a call into a module costs, and what a publish costs those who call.
    Dispatch(DispatchArgs),
}

#[derive(Debug, Args)]
struct DispatchArgs {
    /// Prints a line of JSON a figure instead of a table.
    #[arg(long)]
    json: bool,
    /// How many rounds to take the median of [default: 101; with --quick 11].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Shorter and fewer rounds: to see that it works, not to quote.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let Cli { command: Command::Dispatch(args) } = Cli::parse();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &DispatchArgs) -> Result<(), Error> {
    let plan = if args.quick { Plan::quick() } else { Plan::default() };
    let plan = Plan { rounds: args.rounds.unwrap_or(plan.rounds), ..plan };
    let progress = Progress::new(u64::from(plan.rounds) * dispatch::PARTS);
    let figures = dispatch::run(&plan, &progress);
    progress.clear();
    let figures = figures?;
    let text = if args.json {
        lines(&figures).map_err(|source| Error::Encode { source })?
    } else {
        format!("{}\n{}\n", table(&figures), plan.words())
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read it has read enough.
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|source| Error::Print { source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["segue-bench", "dispatch", "--rounds", "0"]).is_err());
    }
}
