//! `segue probe`: loads a module in a process of its own, replaces it with itself, and says what stays.

mod callers;
mod child;
mod growth;
mod parent;
mod process;
mod render;
mod report;
mod request;

use std::{path::PathBuf, time::Duration};

use clap::Args;

pub use report::{Calls, Leaving, Measured, Outcome, Report, Spread, Stay, StayKind};
use request::Call;

use super::deadline::Deadline;
use crate::{Context, Error, ExitCode};

/// Load a module in a separate process, replace it with itself, and say what stays behind
///
/// The process loads the file with a real runtime, calls it from several threads, loads a copy of it in its place, and purges the
/// old version; as often as `--rounds` says. Then it deletes the last version and compares itself with what it was before the first
/// load: images, threads, file descriptors, mapped files, pthread keys, signals, and resident memory. A crash or a hang of
/// the process is a result too, with the step, the signal and the function.
///
/// Exits with 0 if every version left and nothing stayed, and with 8 if something stayed or the process crashed or hung. A file that
/// a runtime refuses exits with 3, and a missing file with 4.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  segue probe target/release/libgreeter.so
  segue probe target/release/libgreeter.so --request 'GET /ada' --request 'POST /orders {\"id\":1}'
  segue probe target/release/libgreeter.so --rounds 20 --threads 8 --deadline 5m --json

In a test of the module, `segue_sdk::testing::leaves!();` does the same.")]
pub struct Probe {
    /// The file
    file: PathBuf,
    /// A request that every thread makes of every version: a method, a path inside the module, and if needed a body
    ///
    /// Repeat it for more requests. Without one, it is 'GET /'.
    #[arg(long = "request", value_name = "REQUEST", default_value = "GET /")]
    requests: Vec<Call>,
    /// How often the module is replaced with itself
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many threads call it
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// When the probe ends the process and says that it hangs
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    deadline: Deadline,
    /// Be the separate process, in this directory
    #[arg(long, value_name = "DIR", hide = true)]
    child: Option<PathBuf>,
}

/// What a probe does.
#[derive(Clone, Debug)]
struct Plan {
    file: PathBuf,
    requests: Vec<Call>,
    rounds: usize,
    threads: usize,
    deadline: Duration,
}

// === impl Probe ===

impl Probe {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Error> {
        let file = segue::check(&self.file)?;
        let plan = Plan {
            file: self.file,
            requests: self.requests,
            rounds: self.rounds.into(),
            threads: self.threads.into(),
            deadline: self.deadline.duration(),
        };
        if let Some(home) = self.child {
            child::run(&plan, &file, &home)?;
            return Ok(ExitCode::Done);
        }
        let report = parent::run(&plan, &file, context)?;
        context.format.print(&report, render::render)?;
        Ok(report.exit_code())
    }
}

// === impl Plan ===

impl Plan {
    /// The options that say the same to another process.
    fn arguments(&self) -> Vec<String> {
        let deadline = format!("{}ms", self.deadline.as_millis());
        let numbers = [("--rounds", self.rounds.to_string()), ("--threads", self.threads.to_string())];
        let requests = self.requests.iter().map(|request| ("--request", request.to_string()));
        let options = numbers.into_iter().chain([("--deadline", deadline)]).chain(requests);
        options.flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    /// The calls, in words.
    fn calling(&self) -> String {
        let requests: Vec<String> = self.requests.iter().map(ToString::to_string).collect();
        format!("calls of {}", requests.join(", "))
    }
}
