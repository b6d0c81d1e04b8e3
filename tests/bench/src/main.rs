//! The benchmark driver: what things cost, side by side with the alternatives, measured in one process and one run.
//!
//! ```text
//! cargo run --release -p segue-bench -- dispatch [--json] [--rounds N] [--quick]
//! cargo run --release -p segue-bench -- soak [--json] [--reloads N] [--spoil WHAT]
//! cargo run --release -p segue-bench -- purge [--json] [--rounds N]
//! cargo run --release -p segue-bench -- heap [--json] [--rounds N]
//! ```
//!
//! A figure is a median of many rounds, and a round measures everything once, so that whatever the machine does besides
//! hits all alike. For a person it prints a table; with `--json`, a line of JSON a figure ([`Figure`]). On a terminal,
//! standard error shows how far it is. It exits with 0, with 1 where it could not measure, and with 2 where the command
//! line makes no sense. What a figure should be, it does not judge; but `soak` exits with 1 too where something was counted
//! that must not be: an image still mapped, a destructor that did not run.
//!
//! # Where things are
//! `dispatch`, `soak`, `purge` and `heap` are the commands, and tell what each of their figures means; `files` the modules that
//! they load; `figure` what all commands print, `histogram` and
//! `median` how many measurements become one, `progress` what a terminal shows.

#![forbid(unsafe_code)]

mod dispatch;
mod error;
mod figure;
mod files;
mod heap;
mod histogram;
mod median;
mod progress;
mod purge;
mod soak;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use dispatch::Plan;
use error::Error;
use figure::{Figure, lines, table};
use progress::Progress;
use soak::{Soaked, Spoil};

/// Measures what things cost, side by side with the alternatives.
#[derive(Debug, Parser)]
#[command(name = "segue-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Prints a line of JSON a figure instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What a call into a module costs, and what a publish costs those who call.
    Dispatch(DispatchArgs),
    /// Whether anything grows or stays when versions come and go; exits with 1 where something does that is counted.
    Soak {
        /// How many versions come and go.
        #[arg(long, value_name = "N", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..))]
        reloads: u32,
        /// Has each version after the first tenth leave something behind: to see that it is noticed.
        #[arg(long, value_name = "WHAT")]
        spoil: Option<Spoil>,
    },
    /// How long a version takes to leave memory, with none, a thousand and a hundred thousand tasks that use the module.
    Purge(Rounds<51>),
    /// What a module's own heap costs a module that allocates much, beside the system's allocator.
    Heap(Rounds<101>),
}

#[derive(Debug, Args)]
struct DispatchArgs {
    /// How many rounds to take the median of [default: 101; with --quick 11].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Shorter and fewer rounds: to see that it works, not to quote.
    #[arg(long)]
    quick: bool,
}

/// How many rounds, where nothing else is said.
#[derive(Debug, Args)]
struct Rounds<const DEFAULT: u32> {
    /// How many rounds to take the median of.
    #[arg(long, value_name = "N", default_value_t = DEFAULT, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Error> {
    let print = |figures: &[Figure], below: &str| print(figures, below, cli.json);
    match &cli.command {
        Command::Dispatch(args) => {
            let plan = if args.quick { Plan::quick() } else { Plan::default() };
            let plan = Plan { rounds: args.rounds.unwrap_or(plan.rounds), ..plan };
            let parts = u64::from(plan.rounds) * dispatch::PARTS;
            let figures = Progress::over(parts, |progress| dispatch::run(&plan, progress))?;
            print(&figures, &plan.words())
        }
        Command::Soak { reloads, spoil } => {
            let Soaked { figures, broken } =
                Progress::over(u64::from(*reloads), |progress| soak::run(*reloads, *spoil, progress))?;
            print(&figures, "")?;
            if broken.is_empty() { Ok(()) } else { Err(Error::Broken { broken }) }
        }
        Command::Purge(Rounds { rounds }) => {
            let parts = u64::from(*rounds) * purge::PARTS;
            print(&Progress::over(parts, |progress| purge::run(*rounds, progress))?, "")
        }
        Command::Heap(Rounds { rounds }) => print(
            &Progress::over(u64::from(*rounds) * heap::PARTS, |progress| heap::run(*rounds, progress))?,
            "",
        ),
    }
}

fn print(figures: &[Figure], below: &str, json: bool) -> Result<(), Error> {
    let text = match (json, below) {
        (true, _) => lines(figures).map_err(|source| Error::Encode { source })?,
        (false, "") => table(figures),
        (false, below) => format!("{}\n{below}\n", table(figures)),
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
