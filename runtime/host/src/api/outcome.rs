//! What a command did, as it is answered. The field names are a promise.

use segue_interface::VersionId;
use segue_loader::{Digest, LeftOpen};
use serde::{Deserialize, Serialize};

use crate::api::{status::Pin, warning::Warning};

/// What a load did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// The module.
    pub module: String,
    /// The version that is current now.
    pub version: String,
    /// Its generation.
    pub generation: u64,
    /// The SHA-256 of its file.
    pub digest: Digest,
    /// What was current before, and is old now.
    pub replaced: Option<VersionId>,
    /// Whether anything changed.
    pub outcome: LoadOutcome,
    /// What was noticed and is no reason to refuse it. Left out in JSON where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// How long the steps took.
    pub took_us: LoadTimings,
}

/// Whether a load changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadOutcome {
    /// The file is current now.
    Loaded,
    /// The same file was current already, and nothing was done.
    Unchanged,
}

/// How long each step of a load took, in microseconds; null for a step that was not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadTimings {
    /// Copying the file, with its digest.
    pub stage: Option<u64>,
    /// Reading ELF and metadata.
    pub read: Option<u64>,
    /// Checking signature and policy.
    pub verify: Option<u64>,
    /// Loading it in a process of its own.
    pub probe: Option<u64>,
    /// Mapping it, and checking its layout.
    pub map: Option<u64>,
    /// The module's own start.
    pub on_load: Option<u64>,
    /// Handing the state over.
    pub code_change: Option<u64>,
    /// The one store that makes it current.
    pub publish: Option<u64>,
    /// All of it, with what was waited for.
    pub total: u64,
}

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The module.
    pub module: String,
    /// What is current now.
    pub current: VersionId,
    /// What was current, and is old now.
    pub old: VersionId,
    /// Where the version was that is current now.
    pub from: RollbackSource,
    /// Whether a restart knows of it. Where it does not, because the ledger cannot be written, it will as soon as that can be done.
    pub recorded: bool,
    /// How long the store took in microseconds; where the version was loaded again, the whole load.
    pub took_us: u64,
}

/// Where a rollback found the version that it went back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackSource {
    /// It was in memory still.
    Memory,
    /// It had left memory, and its file was loaded again.
    Store,
}

/// What a confirmation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The module.
    pub module: String,
    /// Whether there was a trial, which has ended so. Otherwise there was nothing to confirm.
    pub confirmed: bool,
    /// What is current.
    pub current: VersionId,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// What a delete did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The module.
    pub module: String,
    /// Whether there was a current version, and is none now. Otherwise there was nothing to delete.
    pub deleted: bool,
    /// What was current, and is old now.
    pub old: Option<VersionId>,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// Whether a module may be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stickiness {
    /// The module.
    pub module: String,
    /// Whether it refuses to be replaced.
    pub sticky: bool,
    /// Whether that was otherwise before.
    pub changed: bool,
}

/// A file that is not loaded, however it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedFile {
    /// The module that it is.
    pub module: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Why.
    pub why: String,
}

/// What an unblock did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unblocked {
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Whether it was blocked, and is no longer. Otherwise there was nothing to do.
    pub unblocked: bool,
}

/// What a purge, or a soft purge, did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// The module.
    pub module: String,
    /// Whether there was an old version, and it is gone. With nothing to purge it is false, and nothing lingers.
    pub purged: bool,
    /// Whether the dynamic linker's list says that the image has left memory.
    pub unmapped: bool,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The calls that are still inside.
    pub lingering: u64,
    /// The memory that the version had not freed when it left, in bytes; it was freed then.
    pub leaked_bytes: Option<u64>,
    /// The file descriptors that the version had opened and not closed, by kind. They stay open.
    #[serde(default)]
    pub left_open: LeftOpen,
    /// What keeps the old version in memory.
    pub pins: Vec<Pin>,
}

// === impl Loaded ===

impl Loaded {
    /// A load that went back, as what it did.
    pub(crate) fn as_rollback(&self) -> Option<RolledBack> {
        Some(RolledBack {
            module: self.module.clone(),
            current: VersionId { version: self.version.clone(), generation: self.generation },
            old: self.replaced.clone()?,
            from: RollbackSource::Store,
            recorded: true,
            took_us: self.took_us.total,
        })
    }
}
