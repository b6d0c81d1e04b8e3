//! The answers to commands. The field names are stable.

use segue_interface::VersionId;
use segue_loader::{Digest, LeftOpen};
use serde::{Deserialize, Serialize};

use crate::api::{status::Pin, warning::Warning};

/// The answer to a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// The module.
    pub module: String,
    /// The version that is current now, as in the module's `Cargo.toml`.
    pub version: String,
    /// Its generation.
    pub generation: u64,
    /// The SHA-256 of its file.
    pub digest: Digest,
    /// The version that was current and is old now.
    pub replaced: Option<VersionId>,
    /// Whether the load changed anything.
    pub outcome: LoadOutcome,
    /// Warnings. Omitted in JSON if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// How long each step took.
    pub took_us: LoadTimings,
}

/// Whether a load changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadOutcome {
    /// The file is current now.
    Loaded,
    /// The file was current already. Nothing changed.
    Unchanged,
}

/// How long each step of a load took, in microseconds; null for a step that did not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadTimings {
    /// Copying the file and computing its digest.
    pub stage: Option<u64>,
    /// Reading the ELF file and the metadata.
    pub read: Option<u64>,
    /// Checking the signature and the policy.
    pub verify: Option<u64>,
    /// Loading the file in a separate process.
    pub probe: Option<u64>,
    /// Mapping the file and checking its layouts.
    pub map: Option<u64>,
    /// Running the module's `on_load`.
    pub on_load: Option<u64>,
    /// Handing the state over to the new version.
    pub code_change: Option<u64>,
    /// The atomic store that makes the version current.
    pub publish: Option<u64>,
    /// The whole load, including all waits.
    pub total: u64,
}

/// The answer to a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The module.
    pub module: String,
    /// The version that is current now.
    pub current: VersionId,
    /// The version that was current and is old now.
    pub old: VersionId,
    /// Where the rollback found the version.
    pub from: RollbackSource,
    /// Whether the ledger has recorded it. If not, a restart may undo the rollback until the ledger is
    /// writable again.
    pub recorded: bool,
    /// How long it took, in microseconds: the atomic store, or the whole load if the version was loaded
    /// again.
    pub took_us: u64,
}

/// Where a rollback found the version that it rolled back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackSource {
    /// It was still in memory.
    Memory,
    /// It had been unloaded, so its file was loaded again from the store.
    Store,
}

/// The answer to a confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The module.
    pub module: String,
    /// Whether a trial was confirmed. If false, there was no trial and nothing changed.
    pub confirmed: bool,
    /// The current version.
    pub current: VersionId,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// The answer to a delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The module.
    pub module: String,
    /// Whether the current version was deleted. If false, there was none and nothing changed.
    pub deleted: bool,
    /// The version that was current and is old now.
    pub old: Option<VersionId>,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// The answer to a stick or an unstick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stickiness {
    /// The module.
    pub module: String,
    /// Whether the module is sticky now.
    pub sticky: bool,
    /// Whether the command changed it.
    pub changed: bool,
}

/// A blocked file. No load accepts it, from any source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedFile {
    /// The module in the file.
    pub module: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Why it was blocked.
    pub why: String,
}

/// The answer to an unblock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unblocked {
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Whether the file was unblocked. If false, it was not blocked and nothing changed.
    pub unblocked: bool,
}

/// The answer to a purge or a soft purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// The module.
    pub module: String,
    /// Whether an old version was unloaded. Also false if there was none; then `lingering` is 0.
    pub purged: bool,
    /// Whether the dynamic linker's list confirms that the image was unmapped.
    pub unmapped: bool,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The number of calls still inside.
    pub lingering: u64,
    /// The memory that the version had not freed, in bytes. The purge freed it.
    pub leaked_bytes: Option<u64>,
    /// The file descriptors that the version opened and did not close, by kind. They stay open.
    #[serde(default)]
    pub left_open: LeftOpen,
    /// What keeps the version in memory.
    pub pins: Vec<Pin>,
}

// === impl Loaded ===

impl Loaded {
    /// The answer to a rollback that loaded the version again.
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
