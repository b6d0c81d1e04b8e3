//! The result of a probe, as `--json` writes it. The field names are a promise.

use std::path::PathBuf;

use segue::{Crash, Digest, ErrorObject, VersionId};
use serde::{Deserialize, Serialize};

use crate::exit_code::ExitCode;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The file.
    pub(crate) file: PathBuf,
    /// The module.
    pub(crate) module: String,
    /// Its version.
    pub(crate) version: String,
    /// The SHA-256 of its file.
    pub(crate) digest: Digest,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The step at which the process crashed or hung; null otherwise.
    pub(crate) step: Option<String>,
    /// The process's own crash report; null if there is none.
    pub(crate) crash: Option<Crash>,
    /// The measurements up to the end.
    #[serde(flatten)]
    pub(crate) measured: Measured,
}

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Every version was unloaded, and nothing stayed.
    Left,
    /// Something stayed: see `stays`.
    Stays,
    /// The process ended too early, by this signal or exit status: `SIGSEGV`, `exit(3)`.
    Crashed(String),
    /// The probe was not done at the deadline, which was so many milliseconds.
    Hung(u64),
}

/// The measurements of a probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The versions that were to be unloaded, in order. The last one had no successor.
    pub(crate) versions: Vec<UnloadedVersion>,
    /// The calls.
    pub(crate) calls: Calls,
    /// The time from the last call of a version until it was unmapped, in microseconds; null if none was
    /// unmapped.
    pub(crate) purge_us: Option<Spread>,
    /// The median growth of resident memory per round, in bytes, without the first round. Null for fewer than
    /// three rounds.
    pub(crate) resident_bytes_per_round: Option<i64>,
    /// What stayed.
    pub(crate) stays: Vec<Stay>,
}

/// A version that was to be unloaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UnloadedVersion {
    /// The version.
    pub(crate) id: VersionId,
    /// Whether it was unloaded.
    pub(crate) left: bool,
    /// The time from its last call until it was unmapped, in microseconds; null if it was not.
    pub(crate) purge_us: Option<u64>,
    /// The memory that it had not freed, in bytes. The runtime freed it.
    pub(crate) leaked_bytes: u64,
    /// Destructors of thread-locals that did not run.
    pub(crate) destructors_dropped: u64,
    /// Its idle threads, which the runtime ended.
    pub(crate) threads_ended: u32,
    /// The resident memory of the process afterwards, in bytes.
    pub(crate) resident_bytes: u64,
}

/// The calls of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Calls {
    /// How many were made.
    pub(crate) made: u64,
    /// How many ended in a fault or a panic.
    pub(crate) failed: u64,
    /// The message of the first failure.
    pub(crate) first_failure: Option<String>,
}

/// A median and a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: u64,
    /// The maximum.
    pub(crate) max: u64,
}

/// Something that stayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stay {
    /// Its kind.
    pub(crate) kind: StayKind,
    /// A description.
    pub(crate) what: String,
    /// What the module's author can do.
    pub(crate) advice: String,
}

/// The kind of a thing that stayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub(crate) enum StayKind {
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
    /// A library outside the module, which may hold callbacks.
    Callback,
    /// Resident memory that grows with each round.
    Memory,
    /// A version that could not be loaded again.
    Refused,
    /// Every call failed, so the probe exercised nothing.
    Calls,
}

/// What the child process reports to the parent, at every step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ChildState {
    /// The current step.
    pub(super) step: String,
    /// The measurements so far.
    pub(super) measured: Measured,
    /// Why the first load was refused.
    pub(super) refused: Option<ErrorObject>,
    /// Whether all measurements are done.
    pub(super) is_complete: bool,
}

// === impl Report ===

impl Report {
    /// The exit code of the command.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.outcome == Outcome::Left { ExitCode::Done } else { ExitCode::Found }
    }
}

// === impl StayKind ===

impl StayKind {
    /// The name, as `--json` writes it.
    pub(super) fn name(self) -> &'static str {
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
