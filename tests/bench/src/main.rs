//! The benchmark driver. It measures costs beside the alternatives, in one process and one run.
//!
//! ```text
//! cargo run --release -p segue-bench -- dispatch [--json] [--rounds N] [--quick]
//! cargo run --release -p segue-bench -- soak [--json] [--reloads N] [--spoil WHAT]
//! cargo run --release -p segue-bench -- purge [--json] [--rounds N]
//! cargo run --release -p segue-bench -- heap [--json] [--rounds N]
//! ```
//!
//! A figure is the median of many rounds. Each round measures everything once, so other load on the machine
//! affects all figures alike. The output is a table or, with `--json`, one line of JSON per figure
//! ([`Figure`]). On a terminal, standard error shows the progress.
//!
//! Exit codes: 0 for success, 1 if it could not measure, 2 for a wrong command line. The driver does not
//! judge figures. `soak` is the exception: it exits with 1 if a count is wrong, such as an image that is
//! still mapped or a destructor that did not run.
//!
//! # Where things are
//! `dispatch`, `soak`, `purge` and `heap` are the commands; their docs define each figure. `files` has the
//! modules that they load, `figure` the output, `histogram` and `median` the statistics, `progress` the
//! progress bar.

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
use soak::{SoakResult, Spoil};

/// Measures what calls, publishes, purges and memory cost, beside the alternatives.
#[derive(Debug, Parser)]
#[command(name = "segue-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one line of JSON per figure instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what a call into a module costs, and what a publish costs the callers.
    Dispatch(DispatchArgs),
    /// Load and purge many versions; exit with 1 if anything that is counted grows or stays.
    Soak {
        /// How many versions to load and purge.
        #[arg(long, value_name = "N", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..))]
        reloads: u32,
        /// Make each version after the first tenth leave something behind, to show that the soak notices.
        #[arg(long, value_name = "WHAT")]
        spoil: Option<Spoil>,
    },
    /// Measure how long a purge takes while 0, 1,000 and 100,000 tasks use the module.
    Purge(Rounds<51>),
    /// Measure a module's own heap against the system's allocator, in a module that allocates a lot.
    Heap(Rounds<101>),
}

#[derive(Debug, Args)]
struct DispatchArgs {
    /// Take the median of this many rounds [default: 101; with --quick 11].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Run fewer and shorter rounds: a smoke test, not figures to quote.
    #[arg(long)]
    quick: bool,
}

/// The number of rounds and its default.
#[derive(Debug, Args)]
struct Rounds<const DEFAULT: u32> {
    /// Take the median of this many rounds.
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
            print(&figures, &plan.describe())
        }
        Command::Soak { reloads, spoil } => {
            let SoakResult { figures, violations } =
                Progress::over(u64::from(*reloads), |progress| soak::run(*reloads, *spoil, progress))?;
            print(&figures, "")?;
            if violations.is_empty() { Ok(()) } else { Err(Error::Violated { violations }) }
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
        // The reader has closed the pipe: it has enough.
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|source| Error::Print { source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_needs_a_round() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["segue-bench", "dispatch", "--rounds", "0"]).is_err());
    }
}
