//! The events. This is the only place that names them.

use jiff::Timestamp;
use segue_interface::VersionId;
use segue_loader::{Digest, LeftOpen};
use serde::{Deserialize, Serialize};

use crate::api::{error::ErrorObject, origin::Actor, status::Pin, warning::Warning};

/// An event with its number, its time and its actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The event's number. Numbers start at 1 for each state directory, have no gaps, and continue after a
    /// restart.
    pub seq: u64,
    /// When it happened, by the system clock.
    pub at: Timestamp,
    /// Who caused it.
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
    /// The runtime started.
    Started {
        /// The process id of the runtime.
        pid: u32,
        /// The version of the runtime.
        runtime: String,
    },
    /// The runtime stopped cleanly.
    Stopped {
        /// The process id of the runtime.
        pid: u32,
    },
    /// A new version became current.
    Loaded {
        /// The module.
        module: String,
        /// The version that is current now.
        current: VersionId,
        /// The version that was current before.
        replaced: Option<VersionId>,
        /// The SHA-256 of its file.
        digest: Digest,
        /// The path of the file, or its digest if it came from the store.
        source: String,
        /// The length of its trial, in milliseconds; null if it is confirmed.
        trial_ms: Option<u64>,
        /// The other modules of its set, if it was loaded in a set.
        with: Vec<String>,
        /// How long the load took until the version was current, in microseconds.
        took_us: u64,
        /// Warnings of the load. Omitted in JSON if there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<Warning>,
    },
    /// A load found that the file is current already.
    Unchanged {
        /// The module.
        module: String,
        /// The current version.
        current: VersionId,
        /// The path of the file, or its digest if it came from the store.
        source: String,
    },
    /// A file was refused. Nothing changed.
    Refused {
        /// The file.
        source: String,
        /// Why.
        error: ErrorObject,
    },
    /// A load waited, and a newer file of the same module arrived. The older file is not loaded.
    Superseded {
        /// The module.
        module: String,
        /// The older file.
        source: String,
    },
    /// The previous version is current again.
    RolledBack {
        /// The module.
        module: String,
        /// The version that is current now.
        current: VersionId,
        /// The version that was current and is old now.
        old: VersionId,
        /// The SHA-256 of the current version's file.
        digest: Digest,
    },
    /// The current version was confirmed. A restart returns to it.
    Confirmed {
        /// The module.
        module: String,
        /// The version.
        current: VersionId,
        /// The SHA-256 of its file.
        digest: Digest,
    },
    /// A trial ended with no version to roll back to. The version stays current, and a restart does not
    /// return to it.
    TrialOver {
        /// The module.
        module: String,
        /// The version.
        current: VersionId,
    },
    /// The module's current version was deleted.
    Deleted {
        /// The module.
        module: String,
        /// The version that was current and is old now.
        old: VersionId,
    },
    /// The module became sticky: it refuses to be replaced.
    MadeSticky {
        /// The module.
        module: String,
    },
    /// The module is no longer sticky.
    StickyCleared {
        /// The module.
        module: String,
    },
    /// A version was unloaded.
    Purged {
        /// The module.
        module: String,
        /// The version.
        old: VersionId,
        /// The time from when it became old until its last call ended, in microseconds.
        drain_us: u64,
        /// The time from the end of its last call until it was unloaded, in microseconds.
        purge_us: u64,
        /// The memory that it had not freed, in bytes. The purge freed it.
        leaked_bytes: u64,
        /// Destructors of thread-locals that did not run, because their threads did not respond in time.
        destructors_dropped: u64,
        /// The file descriptors that it opened and did not close, by kind. They stay open.
        #[serde(default)]
        left_open: LeftOpen,
        /// Idle threads of the module that the runtime ended.
        #[serde(default)]
        threads_ended: u32,
    },
    /// A version is unused but could not be unloaded, so it was quarantined. When nothing keeps it any
    /// longer, the runtime unloads it and records `purged`.
    Quarantined {
        /// The module.
        module: String,
        /// The version.
        old: VersionId,
        /// What keeps it.
        pins: Vec<Pin>,
    },
    /// The previous process ended by a fatal signal, or because a module called `exit`.
    Crashed {
        /// The signal (`SIGSEGV`), or `exit(1)` with the exit status.
        signal: String,
        /// The module whose code was running; null if no module's was.
        module: Option<String>,
        /// Its version.
        version: Option<VersionId>,
        /// The SHA-256 of its file.
        digest: Option<Digest>,
        /// The place in the file: a function and an offset, or only an offset.
        place: Option<String>,
        /// How long the version had been in memory, in milliseconds.
        age_ms: Option<u64>,
        /// If the version had already been unloaded: how long before the crash, in milliseconds. Something
        /// still called its code or used its memory. Null if the version was in memory.
        #[serde(default)]
        left_ms: Option<u64>,
    },
    /// A file was blocked. No load accepts it, from any source.
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
    /// A file was unblocked. It may be loaded again.
    Unblocked {
        /// The module.
        module: String,
        /// Its version.
        version: String,
        /// The SHA-256 of the file.
        digest: Digest,
    },
    /// A version was current when the previous process ended, and the restart did not return to it.
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
    /// The modules directory cannot be read or watched.
    WatchFailed {
        /// The modules directory.
        directory: String,
        /// Why.
        reason: String,
    },
}

// === impl Event ===

impl Event {
    /// The module that the event concerns, if any.
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
