//! What a probe found, as `--json` writes it. The field names are a promise.

use std::path::PathBuf;

use segue::{Crash, Digest, ErrorObject, VersionId};
use serde::{Deserialize, Serialize};

use crate::ExitCode;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// The module.
    pub module: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its file.
    pub digest: Digest,
    /// How it ended.
    pub outcome: Outcome,
    /// The step at which the process crashed or hung; null otherwise.
    pub step: Option<String>,
    /// What the process wrote of its own end; null if it wrote nothing.
    pub crash: Option<Crash>,
    /// What was measured up to the end.
    #[serde(flatten)]
    pub measured: Measured,
}

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every version left, and nothing stayed.
    Left,
    /// Something stayed: see `stays`.
    Stays,
    /// The process ended before the probe did. The text is the signal or the exit status: `SIGSEGV`, `exit(3)`.
    Crashed(String),
    /// The probe was not done at the deadline, in milliseconds.
    Hung(u64),
}

/// What the process of the probe measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The versions that had to leave, in order. The last one left without a successor.
    pub versions: Vec<Leaving>,
    /// The calls.
    pub calls: Calls,
    /// How long the versions took from their last call to being unmapped, in microseconds; null if none left.
    pub purge_us: Option<Spread>,
    /// How much resident memory grew from one round to the next, in bytes: the median, after the first round. Null for fewer
    /// than three rounds.
    pub resident_bytes_per_round: Option<i64>,
    /// What stayed.
    pub stays: Vec<Stay>,
}

/// One version that had to leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaving {
    /// The version.
    pub id: VersionId,
    /// Whether it left memory.
    pub left: bool,
    /// From its last call to being unmapped, in microseconds; null if it did not leave.
    pub purge_us: Option<u64>,
    /// The memory that it had not freed, in bytes. The runtime freed it.
    pub leaked_bytes: u64,
    /// Destructors of thread-locals that did not run.
    pub destructors_dropped: u64,
    /// Threads that it had left waiting. The runtime ended them.
    pub threads_ended: u32,
    /// The resident memory of the process after it left, in bytes.
    pub resident_bytes: u64,
}

/// The calls of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// How many were made.
    pub made: u64,
    /// How many ended in a fault or a panic.
    pub failed: u64,
    /// The words of the first that failed.
    pub first_failure: Option<String>,
}

/// A median and a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: u64,
    /// The maximum.
    pub max: u64,
}

/// Something that stayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// What kind of thing.
    pub kind: StayKind,
    /// Which one.
    pub what: String,
    /// What the author can do.
    pub advice: String,
}

/// What kind of thing stayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StayKind {
    /// The module's image.
    Image,
    /// A thread.
    Thread,
    /// A file descriptor.
    Descriptor,
    /// A mapping.
    Mapping,
    /// A pthread key.
    Key,
    /// The disposition of a signal.
    Signal,
    /// A library outside the system's own, which may hold callbacks.
    Callback,
    /// Resident memory that grows with each round.
    Memory,
    /// A version that could not be loaded again.
    Refused,
    /// Every call failed, so the probe exercised nothing.
    Calls,
}

/// What the process of the probe tells the command, again at every step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    /// What it does now.
    pub(super) step: String,
    /// What it has measured so far.
    pub(super) measured: Measured,
    /// Why the first load was refused.
    pub(super) refused: Option<ErrorObject>,
    /// Whether it has measured everything.
    pub(super) is_complete: bool,
}

// === impl Report ===

impl Report {
    /// The command's exit code.
    pub fn exit_code(&self) -> ExitCode {
        if self.outcome == Outcome::Left { ExitCode::Done } else { ExitCode::Found }
    }
}

// === impl StayKind ===

impl StayKind {
    /// The kind, for a person.
    pub(super) fn word(self) -> &'static str {
        match self {
            StayKind::Image => "image",
            StayKind::Thread => "thread",
            StayKind::Descriptor => "descriptor",
            StayKind::Mapping => "mapping",
            StayKind::Key => "key",
            StayKind::Signal => "signal",
            StayKind::Callback => "callback",
            StayKind::Memory => "memory",
            StayKind::Refused => "refused",
            StayKind::Calls => "calls",
        }
    }
}
