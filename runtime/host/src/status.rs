//! What is loaded, as `segue ls --json` and the control socket tell it. The field names are a promise.

use jiff::Timestamp;
use segue_interface::VersionId;
use segue_loader::{Digest, LeftOpen};
use serde::{Deserialize, Serialize};

use crate::Warning;

/// One module: what is current, what is old.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleStatus {
    /// The module's name.
    pub name: String,
    /// The version that new calls enter.
    pub current: Option<VersionStatus>,
    /// The version before it, while calls are inside or until it has left memory.
    pub old: Option<VersionStatus>,
    /// Versions that could not be taken out of memory. They are never entered again.
    pub quarantined: Vec<VersionStatus>,
    /// Whether the module refuses to be replaced.
    pub sticky: bool,
    /// How many more versions that stay in memory, as the last one did, fit into the limit; null if none stays.
    pub releases_left: Option<u64>,
    /// Who has a handle to it: other modules, and the program that embeds the runtime where the handle is typed.
    pub callers: Vec<CallerStatus>,
}

/// Somebody who has a handle to a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerStatus {
    /// The module that calls; null for the program that embeds the runtime.
    pub module: Option<String>,
    /// The version of it that has the handle.
    pub version: Option<VersionId>,
    /// The typed interface through which it calls; null where it sends requests.
    pub interface: Option<String>,
}

/// One version of a module that is in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionStatus {
    /// The version, as in the module's `Cargo.toml`.
    pub version: String,
    /// Which load in this runtime it is.
    pub generation: u64,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// Where the file came from: a path, or `sha256:…` for one from the store.
    pub source: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// What is to become of it.
    pub status: Standing,
    /// The calls inside it now.
    pub inside: u64,
    /// How long the oldest call inside has been there, in milliseconds, where the runtime knows: for calls that a
    /// [`Resident`](crate::Resident) thread makes, as those of the server are.
    pub oldest_ms: Option<u64>,
    /// The calls that it got in all.
    pub calls: u64,
    /// The memory that the module has allocated and not freed, in bytes.
    pub live_bytes: Option<u64>,
    /// What keeps it in memory, where it is to leave.
    pub pins: Vec<Pin>,
}

/// What is to become of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// It is current, and not confirmed yet.
    Trial,
    /// It is current.
    Confirmed,
    /// It is old, and finishes the calls inside.
    Draining,
    /// It is old, nobody is inside, and it is kept for a rollback.
    Warm,
    /// It is old, nobody is inside, and something keeps it in memory.
    Pinned,
}

/// Something that keeps an image in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What kind of thing.
    pub kind: PinKind,
    /// Which one, in words: the thread, for how long, which request.
    pub detail: String,
    /// What must happen for it to let go, in words.
    pub waits_for: String,
}

/// Who holds the versions of a module that are to leave memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The module.
    pub module: String,
    /// The old version, and those in quarantine.
    pub held: Vec<Held>,
}

/// A version that is to leave memory, and what holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The version.
    pub version: String,
    /// Its generation.
    pub generation: u64,
    /// How far it is.
    pub status: Standing,
    /// What holds it; nothing where it is about to go.
    pub pins: Vec<Pin>,
}

/// What kind of thing keeps an image in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PinKind {
    /// A call that is inside, by whatever way it came: a handle to a module or to an interface keeps no version, and so is never
    /// told; the call that is made through it is.
    Call,
    /// Guards of calls that may be on any thread.
    OwnedGuard,
    /// A thread that the module started.
    Thread,
    /// A thread-local of the module on a thread that has not destroyed it yet.
    Tls,
    /// A value of a pthread key of the module, on a thread that has not destroyed it yet.
    Key,
    /// A handler of a signal, which is code of the module.
    Signal,
    /// The module's own end, which goes on.
    Handle,
    /// A library outside the module that may call it. The version stays in memory for ever.
    Library,
    /// A mark in the file that forbids unloading, or the dynamic linker's own reasons.
    Flag,
}

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
    pub took_us: Took,
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
pub struct Took {
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
    pub from: WentBack,
    /// Whether a restart knows of it. Where it does not, because the ledger cannot be written, it will as soon as that can be done.
    pub recorded: bool,
    /// How long the store took in microseconds; where the version was loaded again, the whole load.
    pub took_us: u64,
}

/// Where a rollback found the version that it went back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WentBack {
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
            from: WentBack::Store,
            recorded: true,
            took_us: self.took_us.total,
        })
    }
}
