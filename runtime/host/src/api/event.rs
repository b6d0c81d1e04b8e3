//! What can happen. This is the only place where events are named.

use jiff::Timestamp;
use segue_interface::VersionId;
use segue_loader::{Digest, LeftOpen};
use serde::{Deserialize, Serialize};

use crate::api::{error::ErrorObject, origin::Actor, status::Pin, warning::Warning};

/// One event with its number, its time, and who asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the events of this runtime's state directory from 1, without a gap, over restarts.
    pub seq: u64,
    /// When it happened, by the system's clock.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Actor,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The runtime began.
    Started {
        /// The runtime's process.
        pid: u32,
        /// The runtime's own version.
        runtime: String,
    },
    /// The runtime ended in good order.
    Stopped {
        /// The runtime's process.
        pid: u32,
    },
    /// A new version is current.
    Loaded {
        /// The module.
        module: String,
        /// What is current now.
        current: VersionId,
        /// What was current before.
        replaced: Option<VersionId>,
        /// The SHA-256 of its file.
        digest: Digest,
        /// Where the file came from.
        source: String,
        /// How long it is on trial, in milliseconds; null where it is confirmed.
        trial_ms: Option<u64>,
        /// The modules that became current with it, where it was one of a set.
        with: Vec<String>,
        /// How long the load took up to the store that made it current, in microseconds.
        took_us: u64,
        /// What was noticed at the load. Left out in JSON where there is nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<Warning>,
    },
    /// A file was offered that is current already.
    Unchanged {
        /// The module.
        module: String,
        /// What is current.
        current: VersionId,
        /// Where the file came from.
        source: String,
    },
    /// A file was refused, and nothing has changed.
    Refused {
        /// The file.
        source: String,
        /// Why.
        error: ErrorObject,
    },
    /// A file that waited for its turn was overtaken by a newer one of the same module, and is not loaded.
    Superseded {
        /// The module.
        module: String,
        /// The file that was overtaken.
        source: String,
    },
    /// The version before is current again.
    RolledBack {
        /// The module.
        module: String,
        /// What is current now.
        current: VersionId,
        /// What was current before, and is old now.
        old: VersionId,
        /// The SHA-256 of the file that is current now.
        digest: Digest,
    },
    /// The current version is what a restart returns to from now on.
    Confirmed {
        /// The module.
        module: String,
        /// The version.
        current: VersionId,
        /// The SHA-256 of its file.
        digest: Digest,
    },
    /// A trial ended and there was nothing to go back to: the version stays current, and a restart does not return to it.
    TrialOver {
        /// The module.
        module: String,
        /// The version.
        current: VersionId,
    },
    /// The module has no current version any more, since somebody asked for that.
    Deleted {
        /// The module.
        module: String,
        /// What was current, and is old now.
        old: VersionId,
    },
    /// The module is not to be replaced.
    MadeSticky {
        /// The module.
        module: String,
    },
    /// The module may be replaced again.
    StickyCleared {
        /// The module.
        module: String,
    },
    /// An old version has left memory.
    Purged {
        /// The module.
        module: String,
        /// What left.
        old: VersionId,
        /// From becoming old to the last call's end, in microseconds.
        drain_us: u64,
        /// From the last call's end to being out of memory, in microseconds.
        purge_us: u64,
        /// The memory that it had not freed, in bytes. It was freed with it.
        leaked_bytes: u64,
        /// Destructors of thread-locals that did not run, since their threads were not at hand.
        destructors_dropped: u64,
        /// The file descriptors that it had opened and not closed, by kind. They stay open.
        #[serde(default)]
        left_open: LeftOpen,
        /// Threads that the module had left waiting and that the runtime ended.
        #[serde(default)]
        threads_ended: u32,
    },
    /// A version is not in use any more, or never was, and cannot be taken out of memory now. It is quarantined; where what
    /// keeps it goes, it still leaves, which is told as `purged`.
    Quarantined {
        /// The module.
        module: String,
        /// What stays.
        old: VersionId,
        /// What keeps it.
        pins: Vec<Pin>,
    },
    /// A fatal signal, or a module that called `exit`, ended the process before this one.
    Crashed {
        /// The signal: `SIGSEGV`; or `exit(1)`, with the status.
        signal: String,
        /// The module whose code was running; null where it was none.
        module: Option<String>,
        /// Its version.
        version: Option<VersionId>,
        /// The SHA-256 of its file.
        digest: Option<Digest>,
        /// Where in the file, as a function and an offset, or as an offset alone.
        place: Option<String>,
        /// How long the version had been in memory, in milliseconds.
        age_ms: Option<u64>,
        /// How long before that the version had left memory, in milliseconds: something still called its code or used its
        /// memory. Null if the version was in memory.
        #[serde(default)]
        left_ms: Option<u64>,
    },
    /// A file is not loaded any more, however it comes.
    Blocked {
        /// The module.
        module: String,
        /// Its version.
        version: String,
        /// The SHA-256 of the file.
        digest: Digest,
        /// Why.
        why: String,
    },
    /// A file may be loaded again.
    Unblocked {
        /// The module.
        module: String,
        /// Its version.
        version: String,
        /// The SHA-256 of the file.
        digest: Digest,
    },
    /// A version was current when the process before this one ended, and is not returned to.
    NotRestored {
        /// The module.
        module: String,
        /// Its version.
        version: String,
        /// The SHA-256 of its file.
        digest: Digest,
        /// Why.
        why: String,
    },
    /// The modules directory cannot be read or watched at the moment.
    WatchFailed {
        /// The modules directory.
        directory: String,
        /// Why.
        reason: String,
    },
}

// === impl Event ===

impl Event {
    /// The module that it is about, where it is one.
    pub fn module(&self) -> Option<&str> {
        match self {
            Event::Loaded { module, .. }
            | Event::Unchanged { module, .. }
            | Event::Superseded { module, .. }
            | Event::RolledBack { module, .. }
            | Event::Confirmed { module, .. }
            | Event::TrialOver { module, .. }
            | Event::Deleted { module, .. }
            | Event::MadeSticky { module }
            | Event::StickyCleared { module }
            | Event::Purged { module, .. }
            | Event::Quarantined { module, .. }
            | Event::Blocked { module, .. }
            | Event::Unblocked { module, .. }
            | Event::NotRestored { module, .. } => Some(module),
            Event::Refused { error, .. } => error.module.as_deref(),
            Event::Crashed { module, .. } => module.as_deref(),
            Event::Started { .. } | Event::Stopped { .. } | Event::WatchFailed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event::WatchFailed { directory: "modules".to_owned(), reason: String::new() };
        let record = Record { seq: 7, at: Timestamp::UNIX_EPOCH, by: Actor::Embedder, event };
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["event"], "watch_failed");
        assert_eq!(json["seq"], 7);
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
        assert_eq!(json["by"]["who"], "embedder");
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
    }
}
