//! What is loaded, as `segue ls --json` and the control socket tell it. The field names are a promise.

use jiff::Timestamp;
use segue_interface::VersionId;
use segue_loader::Digest;
use serde::{Deserialize, Serialize};

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
    pub status: VersionState,
    /// The calls inside it now.
    pub inside: u64,
    /// How long the oldest call inside has been there, in milliseconds, where the runtime knows: for calls that a
    /// [`RegisteredThread`](crate::RegisteredThread) thread makes, as those of the server are.
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
pub enum VersionState {
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
    pub held: Vec<HeldVersion>,
}

/// A version that is to leave memory, and what holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldVersion {
    /// The version.
    pub version: String,
    /// Its generation.
    pub generation: u64,
    /// How far it is.
    pub status: VersionState,
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
