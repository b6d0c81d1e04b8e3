//! `segue-bench soak`: whether anything grows or stays over many releases.
//!
//! In each version, the module `everything` does what has kept images in memory in other systems, on four
//! registered threads and two unregistered ones. In each round all of them call it, the next version is
//! loaded, and the previous one is purged. A backtrace is slow, so only some versions print one
//! ([`BACKTRACE_EVERY`]); run the soak without `RUST_BACKTRACE`. With `--spoil` each version after the first
//! tenth leaves something behind on purpose, which the soak must notice.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `soak.reloads` | versions loaded and purged |
//! | `soak.mapped` | images that the dynamic linker still lists at the end |
//! | `soak.fds`, `soak.mappings`, `soak.keys` | growth in open files, mappings and pthread keys, from the first tenth to the end |
//! | `soak.rss_per_reload` | growth in resident memory per version, from the first tenth to the end, in bytes |
//! | `soak.leaked` | bytes per version that it had not freed itself; its purge freed them |
//! | `soak.destructors` | thread-locals destroyed on their own thread; the reference is `soak.destructors.expected`, the number created |
//! | `soak.destructors.dropped` | destructors dropped because their thread made no further call, including those of libraries in the module |
//! | `soak.time` | microseconds per round |

mod callers;
mod process;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use segue::{Event, Runtime};
use tempfile::TempDir;

use self::{callers::Callers, process::Process};
use crate::{Error, Figure, Progress, files::versions_of};

/// The module. `build.rs` lists it.
const MODULE: &str = "everything";

/// When the runtime ends the waiting thread that each version leaves.
const IDLE_THREAD_TIMEOUT: Duration = Duration::from_micros(100);

/// The limit for the purge of one version.
const DEADLINE: Duration = Duration::from_secs(60);

/// Fluctuation in mappings that is no growth: allocators' mappings, and stacks that libc keeps for the next
/// thread.
const MAPPINGS_SLACK: i64 = 40;

/// Growth in resident memory that any run may have: allocators keep freed memory.
const RSS_SLACK_BYTES: i64 = 32 << 20;

/// One version in this many prints a backtrace, which takes 100 ms and leaves 40 MB in the module's statics.
/// These versions lie between the first tenth, after which the baseline is taken, and the middle: allocators
/// return such memory with a delay.
const BACKTRACE_EVERY: u32 = 100;

/// What each version leaves behind on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spoil {
    /// Itself, opened again. After a few of them, loads are refused.
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
    /// A signal handler that was installed without the SDK.
    Signal,
    /// A C++ destructor that libc keeps.
    Cpp,
    /// A C++ thread that never ends.
    Thread,
}

/// The outcome of a soak.
pub(crate) struct SoakResult {
    pub(crate) figures: Vec<Figure>,
    /// One sentence for each count that is wrong. Times and sizes are not judged.
    pub(crate) violations: Vec<String>,
}

/// Loads and purges `reloads` versions.
pub(crate) fn run(reloads: u32, spoil: Option<Spoil>, progress: &Progress) -> Result<SoakResult, Error> {
    let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
    let runtime =
        Runtime::builder().state_dir(state.path()).idle_thread_timeout(IDLE_THREAD_TIMEOUT).build()?;
    // A purge waits for a thread that never ends until its deadline.
    let deadline = if spoil == Some(Spoil::Thread) { Duration::from_millis(200) } else { DEADLINE };
    let files = versions_of(MODULE);
    runtime.load(&files[0])?;
    let module = runtime.module(MODULE)?;
    let callers = Callers::start(&runtime, &module);
    progress.begin("soak");
    let (mut leaked, mut dropped, mut purged, mut seen) = (0u64, 0u64, 0u64, 0u64);
    let first_tenth = reloads.div_ceil(10);
    let mut warm = Process::now(&runtime).map_err(|source| Error::Inspect { source })?;
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
            warm = Process::now(&runtime).map_err(|source| Error::Inspect { source })?;
        }
        progress.step();
    }
    let took = begun.elapsed();
    let end = Process::now(&runtime).map_err(|source| Error::Inspect { source })?;
    callers.end()?;
    runtime.shutdown(deadline)?;

    let mapped = runtime.images_mapped();
    let (created, destroyed) = callers::destructors();
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
        Figure::alone("soak.destructors.expected", created as f64, "destructors", 6),
        Figure::alone("soak.destructors", destroyed as f64, "destructors", 6)
            .against("soak.destructors.expected", created as f64),
        Figure::alone("soak.destructors.dropped", dropped as f64, "destructors", 6),
        Figure::alone("soak.time", per(took.as_micros() as f64, f64::from(reloads)), "us", 6),
    ];
    let checks = [
        (mapped == 0, format!("{mapped} images are still mapped")),
        (end.fds <= warm.fds, format!("{} files were opened and not closed", end.fds - warm.fds)),
        (end.keys <= warm.keys, format!("{} pthread keys were not deleted", end.keys - warm.keys)),
        (
            end.mappings <= warm.mappings + MAPPINGS_SLACK,
            format!("{} mappings were not unmapped", end.mappings - warm.mappings),
        ),
        (
            end.rss_bytes <= warm.rss_bytes + RSS_SLACK_BYTES,
            format!("{} bytes of memory were not freed", end.rss_bytes - warm.rss_bytes),
        ),
        (
            // `dropped` also counts destructors of libraries in the module.
            created.checked_sub(destroyed).is_some_and(|lost| lost <= dropped),
            format!("of {created} thread-locals, {destroyed} were destroyed and {dropped} dropped"),
        ),
        (purged == u64::from(reloads), format!("{purged} of {reloads} versions were reported as purged")),
    ];
    let violations = checks.into_iter().filter(|(holds, _)| !holds).map(|(_, text)| text).collect();
    Ok(SoakResult { figures, violations })
}

// === impl Spoil ===

impl Spoil {
    /// The parameter of the query that makes the module do it.
    fn query(self) -> String {
        let named = self.to_possible_value();
        named.map_or_else(String::new, |value| format!("&spoil={}", value.get_name()))
    }
}
