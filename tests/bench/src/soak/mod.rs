//! `segue-bench soak`: whether anything grows, or stays, when versions come and go without end.
//!
//! The module `everything` does in each version, on four residents and two threads that are none, what has kept images in
//! memory elsewhere. Each round all call it, the next version is loaded, and the one before is purged. One thing takes so long that
//! only some versions do it ([`BACKTRACE_EVERY`]), so run it without `RUST_BACKTRACE`. With `--spoil` each version after the first tenth leaves something behind, on
//! purpose: that must be noticed.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `soak.reloads` | versions that came and went |
//! | `soak.mapped` | images still in memory when all was over, by the dynamic linker's list |
//! | `soak.fds`, `soak.mappings`, `soak.keys` | how many more open files, mappings and pthread keys at the end than after the first tenth |
//! | `soak.rss_per_reload` | how much the resident memory grew a version, from the first tenth to the end, in bytes |
//! | `soak.leaked` | what a version had not freed when it left, in bytes, on average; it was freed with it |
//! | `soak.destructors` | thread-locals that were destroyed on their own thread, beside `soak.destructors.expected`, those that were made |
//! | `soak.destructors.dropped` | registrations that were dropped, since their thread did not come by: those of thread-locals of libraries too |
//! | `soak.time` | how long a round took, in microseconds |

mod callers;
mod process;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use segue::{Event, Runtime};
use tempfile::TempDir;

use self::{callers::Callers, process::Process};
use crate::{Error, Figure, Progress, files::versions_of};

/// The module; `build.rs` names it too.
const MODULE: &str = "everything";

/// How long the thread that each version leaves waiting may wait before the runtime ends it.
const IDLE_PATIENCE: Duration = Duration::from_micros(100);

/// How long one version may take to leave.
const DEADLINE: Duration = Duration::from_secs(60);

/// How many mappings more or less are no growth: those of allocators, and of stacks that libc keeps for the next thread.
const MAPPINGS_SLACK: i64 = 40;

/// How much more resident memory is no growth, in a run however short: what allocators keep for later.
const RSS_SLACK_BYTES: i64 = 32 << 20;

/// How many versions there are to one that prints a backtrace, which takes 100 ms and leaves 40 MB in its statics. They are between
/// the first tenth, where what is there is measured for the first time, and the middle: allocators give such memory back later.
const BACKTRACE_EVERY: u32 = 100;

/// What a version may leave behind on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spoil {
    /// Itself, opened once more. A few of them, and loads are refused.
    Image,
    /// An open file.
    File,
    /// A pthread key.
    Key,
    /// A mapping.
    Mapping,
    /// Memory of libc's allocator.
    Memory,
    /// A thread-local that is never destroyed.
    Destructor,
    /// A signal handler that is installed past the SDK.
    Signal,
    /// A destructor of C++ that libc keeps.
    Cpp,
    /// A thread of C++ that works for ever.
    Thread,
}

/// What came of it.
pub(crate) struct Soaked {
    pub(crate) figures: Vec<Figure>,
    /// What was not as it must be, in words. Only counts; times and sizes are for whoever reads the figures.
    pub(crate) broken: Vec<String>,
}

/// Loads and purges so many versions.
pub(crate) fn run(reloads: u32, spoil: Option<Spoil>, progress: &Progress) -> Result<Soaked, Error> {
    let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
    let runtime = Runtime::builder().state_dir(state.path()).idle_thread_timeout(IDLE_PATIENCE).build()?;
    // A thread that works for ever is waited for to the deadline.
    let deadline = if spoil == Some(Spoil::Thread) { Duration::from_millis(200) } else { DEADLINE };
    let files = versions_of(MODULE);
    runtime.load(&files[0])?;
    let module = runtime.module(MODULE)?;
    let callers = Callers::start(&runtime, &module);
    progress.begin("soak");
    let (mut leaked, mut dropped, mut purged, mut seen) = (0u64, 0u64, 0u64, 0u64);
    let first_tenth = reloads.div_ceil(10);
    let mut warm = Process::now(&runtime).map_err(|source| Error::Look { source })?;
    let begun = Instant::now();
    for round in 1..=reloads {
        let mut more = String::new();
        if round > first_tenth {
            more.push_str(&spoil.map_or_else(String::new, Spoil::query));
            if round <= reloads / 2 && (round - first_tenth) % BACKTRACE_EVERY == 1 {
                more.push_str("&backtrace");
            }
        }
        callers.call_all(&more)?;
        runtime.load(&files[round as usize % 2])?;
        let purge = runtime.purge(MODULE, deadline)?;
        if spoil.is_none() && !purge.purged {
            let pins: Vec<String> = purge.pins.iter().map(|pin| format!("{pin:?}")).collect();
            return Err(Error::Stays { round, waited: deadline, pins });
        }
        for record in runtime.events().recent(seen + 1) {
            seen = record.seq;
            if let Event::Purged { leaked_bytes, destructors_dropped, .. } = record.event {
                leaked += leaked_bytes;
                dropped += destructors_dropped;
                purged += 1;
            }
        }
        if round == first_tenth {
            warm = Process::now(&runtime).map_err(|source| Error::Look { source })?;
        }
        progress.step();
    }
    let took = begun.elapsed();
    let end = Process::now(&runtime).map_err(|source| Error::Look { source })?;
    callers.end()?;
    runtime.shutdown(deadline)?;

    let mapped = runtime.images_mapped();
    let (made, ran) = callers::destructors();
    let since_warm = f64::from(reloads - first_tenth).max(1.0);
    let count = |figure: &str, value: i64| Figure::alone(figure, value as f64, "more", 1);
    let per = |total: f64, over: f64| if over > 0.0 { total / over } else { 0.0 };
    let figures = vec![
        Figure::alone("soak.reloads", f64::from(reloads), "versions", 6),
        Figure::alone("soak.mapped", mapped as f64, "images", 6),
        count("soak.fds", end.fds - warm.fds),
        count("soak.mappings", end.mappings - warm.mappings),
        count("soak.keys", end.keys - warm.keys),
        Figure::alone(
            "soak.rss_per_reload",
            (end.rss_bytes - warm.rss_bytes) as f64 / since_warm,
            "bytes",
            6,
        ),
        Figure::alone("soak.leaked", per(leaked as f64, purged as f64), "bytes", 6),
        Figure::alone("soak.destructors.expected", made as f64, "destructors", 6),
        Figure::alone("soak.destructors", ran as f64, "destructors", 6)
            .against("soak.destructors.expected", made as f64),
        Figure::alone("soak.destructors.dropped", dropped as f64, "destructors", 6),
        Figure::alone("soak.time", per(took.as_micros() as f64, f64::from(reloads)), "us", 6),
    ];
    let must = [
        (mapped == 0, format!("{mapped} images are still mapped")),
        (end.fds <= warm.fds, format!("{} files were opened and not closed", end.fds - warm.fds)),
        (end.keys <= warm.keys, format!("{} pthread keys were not given back", end.keys - warm.keys)),
        (
            end.mappings <= warm.mappings + MAPPINGS_SLACK,
            format!("{} mappings were not taken back", end.mappings - warm.mappings),
        ),
        (
            end.rss_bytes <= warm.rss_bytes + RSS_SLACK_BYTES,
            format!("{} bytes of memory were not given back", end.rss_bytes - warm.rss_bytes),
        ),
        (
            // What was dropped counts all registrations, also those of libraries in the module.
            made.checked_sub(ran).is_some_and(|lost| lost <= dropped),
            format!("of {made} thread-locals {ran} were destroyed and {dropped} dropped"),
        ),
        (purged == u64::from(reloads), format!("{purged} of {reloads} versions were told as purged")),
    ];
    let broken = must.into_iter().filter(|(holds, _)| !holds).map(|(_, words)| words).collect();
    Ok(Soaked { figures, broken })
}

// === impl Spoil ===

impl Spoil {
    /// What the module is asked for.
    fn query(self) -> String {
        let named = self.to_possible_value();
        named.map_or_else(String::new, |value| format!("&spoil={}", value.get_name()))
    }
}
