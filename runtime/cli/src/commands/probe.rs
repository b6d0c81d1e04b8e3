//! `segue probe`: loads, replaces and unloads a module in a separate process, and reports what stays.

use std::path::PathBuf;

use clap::Args;

use crate::{
    context::Context,
    duration::DurationArg,
    error::Error,
    exit_code::ExitCode,
    probe::{call::Call, child, parent, plan::Plan, render},
};

/// Load, replace and unload a module in a separate process, and report what stays
///
/// The process loads the file into a real runtime, calls it from several threads, replaces it with a copy of
/// itself, and unloads the old version, in as many rounds as --rounds says. Then it deletes the last version
/// and compares the process with its state before the first load: images, threads, file descriptors, mapped
/// files, pthread keys, signals, and resident memory. A crash or a hang is reported too, with its step, its
/// signal and its function.
///
/// Exits with 0 if every version was unloaded and nothing stayed, and with 8 if something stayed or the
/// process crashed or hung. Exits with 3 if a runtime refuses the file, and with 4 if there is no such file.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  segue probe target/release/libgreeter.so
  segue probe target/release/libgreeter.so --request 'GET /ada' --request 'POST /orders {\"id\":1}'
  segue probe target/release/libgreeter.so --rounds 20 --threads 8 --deadline 5m --json

In a test of the module, `segue_sdk::testing::leaves!();` does the same.")]
pub(crate) struct Probe {
    /// The .so file
    file: PathBuf,
    /// A request that every thread sends to every version: a method, a path inside the module, and optionally
    /// a body
    ///
    /// Repeat it for more requests.
    #[arg(long = "request", value_name = "REQUEST", default_value = "GET /")]
    requests: Vec<Call>,
    /// How many times to replace the module with itself
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many threads call it
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// When to kill the process and report a hang
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    deadline: DurationArg,
    /// Be the separate process, in this directory
    #[arg(long, value_name = "DIR", hide = true)]
    child: Option<PathBuf>,
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
        if let Some(directory) = self.child {
            child::run(&plan, &file, &directory)?;
            return Ok(ExitCode::Done);
        }
        let report = parent::run(&plan, &file, context)?;
        context.format.print(&report, render::report)?;
        Ok(report.exit_code())
    }
}
