//! The status of modules, as `segue ls --json` and the control socket show it. The field names are stable.

use jiff::Timestamp;
use segue_interface::VersionId;
use segue_loader::Digest;
use serde::{Deserialize, Serialize};

/// The status of a module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleStatus {
    /// The module's name.
    pub name: String,
    /// The version that new calls enter.
    pub current: Option<VersionStatus>,
    /// The previous version, until it is unloaded.
    pub old: Option<VersionStatus>,
    /// Versions that could not be unloaded. No call enters them again.
    pub quarantined: Vec<VersionStatus>,
    /// What a restart returns to: the version that was confirmed last and is not blocked, unless the module
    /// was deleted since. Null if a restart restores no version.
    pub restarts_to: Option<RestartTarget>,
    /// Whether the module is sticky: it refuses to be replaced.
    pub sticky: bool,
    /// How many more versions fit into the memory limit if each stays in memory as the last one did; null if
    /// none stays.
    pub releases_left: Option<u64>,
    /// The callers that have a handle to it: other modules, and the embedding program if it has a typed
    /// handle.
    pub callers: Vec<CallerStatus>,
}

/// The version that a restart returns to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartTarget {
    /// The version, as in the module's `Cargo.toml`.
    pub version: String,
    /// The SHA-256 of its file.
    pub digest: Digest,
    /// The number of the event that confirmed it.
    pub seq: u64,
}

/// A caller that has a handle to a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerStatus {
    /// The calling module; null for the program that embeds the runtime.
    pub module: Option<String>,
    /// The version of the calling module.
    pub version: Option<VersionId>,
    /// The typed interface that it calls; null if it sends requests.
    pub interface: Option<String>,
}

/// One version of a module that is in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionStatus {
    /// The version, as in the module's `Cargo.toml`.
    pub version: String,
    /// The generation: each load of this state directory has its own number.
    pub generation: u64,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// The path of the file, or `sha256:…` if it came from the store.
    pub source: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// Its state.
    pub status: VersionState,
    /// The number of calls inside.
    pub inside: u64,
    /// The age of the oldest call inside, in milliseconds. The runtime knows it for calls of a
    /// [`RegisteredThread`](crate::RegisteredThread), for example the server's threads.
    pub oldest_ms: Option<u64>,
    /// The number of calls so far.
    pub calls: u64,
    /// The memory that the version has allocated and not freed, in bytes.
    pub live_bytes: Option<u64>,
    /// What keeps it in memory, if it is old or quarantined.
    pub pins: Vec<Pin>,
}

/// The state of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VersionState {
    /// Current, and on trial.
    Trial,
    /// Current, and confirmed.
    Confirmed,
    /// Old, with calls inside.
    Draining,
    /// Old, with no call inside, and kept for a rollback.
    Warm,
    /// Old, with no call inside, and something keeps it in memory.
    Pinned,
}

/// Something that keeps an image in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The kind.
    pub kind: PinKind,
    /// A description: which thread, for how long, which request.
    pub detail: String,
    /// What must happen before it no longer keeps the image.
    pub waits_for: String,
}

/// The pins of a module's old and quarantined versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The module.
    pub module: String,
    /// The old version and the quarantined versions.
    pub held: Vec<HeldVersion>,
}

/// An old or quarantined version and its pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldVersion {
    /// The version.
    pub version: String,
    /// Its generation.
    pub generation: u64,
    /// Its state.
    pub status: VersionState,
    /// What keeps it in memory; empty if it is about to be unloaded.
    pub pins: Vec<Pin>,
}

/// The kind of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PinKind {
    /// A call inside. A handle to a module or an interface is not a pin, because it keeps no version.
    Call,
    /// Owned call guards. Each may be on any thread.
    OwnedGuard,
    /// A thread of the module.
    Thread,
    /// A thread-local of the module that its thread has not destroyed yet.
    Tls,
    /// A value of one of the module's pthread keys that its thread has not destroyed yet.
    Key,
    /// A signal handler in the module's code.
    Signal,
    /// The module's `on_load` or `Drop`, which is still running.
    Handle,
    /// A library outside the module that may call it. The version stays in memory until the process ends.
    Library,
    /// A flag in the file that forbids unloading it, or another reason why the dynamic linker keeps it.
    Flag,
}
