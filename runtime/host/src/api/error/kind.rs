//! The error of the runtime.

use std::{path::PathBuf, time::Duration};

use segue_loader::{CheckError, Digest, InterfaceMismatch, MapError, StageError};

use super::{
    code::Step,
    text::{OldState, list, list_pins},
};
use crate::api::status::Pin;

/// Why a command failed. If a command fails, nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No module with this name was ever loaded.
    #[error("no module {name:?} is loaded")]
    NoSuchModule {
        /// The requested name.
        name: String,
    },
    /// The module has no current version, so it cannot be called.
    #[error("module {name:?} has no current version")]
    NoCurrent {
        /// The module.
        name: String,
    },
    /// The file could not be copied into the state directory.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The content of a file in the store does not match its digest.
    #[error("{}: the stored file is damaged: its content does not match {digest}", path.display())]
    StoreDamaged {
        /// The file.
        path: PathBuf,
        /// The digest that it should have.
        digest: Digest,
    },
    /// This runtime cannot load the file.
    #[error("{}: {source}", path.display())]
    Check {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckError,
    },
    /// The module in the file is not the module that the file is named after.
    #[error("{}: the file contains module {found:?}, but is named after {expected:?}", path.display())]
    NameMismatch {
        /// The file.
        path: PathBuf,
        /// The module that the file is named after.
        expected: String,
        /// The module in the file.
        found: String,
    },
    /// The file could not be mapped, or its exports do not match the module interface.
    #[error("{}: {source}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// Why.
        source: MapError,
    },
    /// An interface of the version does not match what a caller was compiled with.
    #[error("{module} {version}: {source}")]
    Interface {
        /// The module.
        module: String,
        /// The version.
        version: String,
        /// The step that found it; `None` if a new caller found it.
        step: Option<Step>,
        /// The difference.
        source: Box<InterfaceMismatch>,
    },
    /// The module's `on_load` failed.
    #[error("{module} {version}: on_load failed: {reason}")]
    OnLoad {
        /// The module.
        module: String,
        /// The version.
        version: String,
        /// The fault or panic.
        reason: String,
    },
    /// An old version is still in memory, so a new version cannot be loaded.
    #[error("{module}: old version {version} (generation {generation}) {}{}",
        state.describe(*inside, *since), list_pins(pins))]
    NotPurged {
        /// The module.
        module: String,
        /// The old version.
        version: String,
        /// Its generation.
        generation: u64,
        /// The number of calls inside.
        inside: u64,
        /// How long it has been old.
        since: Duration,
        /// Why it is still in memory.
        state: OldState,
        /// The calls inside, and anything else that keeps it.
        pins: Vec<Pin>,
    },
    /// Too many versions of the module are in quarantine with code running.
    #[error(
        "{module}: {quarantined} of its versions are quarantined and still running; the limit is {limit}"
    )]
    QuarantineFull {
        /// The module.
        module: String,
        /// The number of these versions.
        quarantined: usize,
        /// The limit.
        limit: usize,
    },
    /// Versions that cannot be unloaded, though no call is inside, take too much memory.
    #[error(
        "{module}: versions that cannot be unloaded take {kept_bytes} bytes; \
         one more would exceed the {max_bytes} allowed"
    )]
    KeptFull {
        /// The module.
        module: String,
        /// The memory that these versions of all modules take.
        kept_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The module's `on_load` did not return in time. The version stays in quarantine until it returns.
    #[error("{module} {version}: timed out after {} s waiting for on_load", after.as_secs_f64())]
    OnLoadHangs {
        /// The module.
        module: String,
        /// The version.
        version: String,
        /// The timeout.
        after: Duration,
    },
    /// The module is sticky: its file, or a command, forbids replacing it.
    #[error("{module} is sticky and cannot be replaced")]
    Sticky {
        /// The module.
        module: String,
    },
    /// The file is blocked.
    #[error("{module} {version} is blocked: {why}")]
    Blocked {
        /// The module.
        module: String,
        /// The version.
        version: String,
        /// The SHA-256 of the file.
        digest: Digest,
        /// Why it was blocked.
        why: String,
    },
    /// Two files of a set contain the same module.
    #[error("the set contains module {module:?} twice")]
    Duplicate {
        /// The module.
        module: String,
    },
    /// Several members of a set were refused, so none was loaded.
    #[error("{} modules of the set were refused, so none was loaded: {}", errors.len(), list(errors))]
    Set {
        /// The error of each refused member.
        errors: Vec<Error>,
    },
    /// The idempotency key was already used for another command.
    #[error("the idempotency key {key:?} was already used for another command: {command}")]
    KeyReused {
        /// The key.
        key: String,
        /// The earlier command.
        command: String,
    },
    /// The file could not be written to the store.
    #[error("cannot write {}: {source}", path.display())]
    Store {
        /// The file in the store.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The ledger could not be opened, read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Ledger {
        /// The action that failed: "write".
        action: &'static str,
        /// The ledger's file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// A newer runtime wrote the ledger.
    #[error(
        "{}: ledger schema version {schema} is newer than this runtime supports ({supported})",
        path.display()
    )]
    LedgerTooNew {
        /// The ledger's file.
        path: PathBuf,
        /// Its schema version.
        schema: i64,
        /// The newest schema version that this runtime supports.
        supported: i64,
    },
    /// There is no version to roll back to.
    #[error("{module}: there is no earlier version to roll back to")]
    NothingToRollBack {
        /// The module.
        module: String,
    },
    /// A deadline passed.
    #[error("timed out after {} s waiting for {what}", after.as_secs_f64())]
    Deadline {
        /// The module, if the wait concerned one.
        module: Option<String>,
        /// What the command waited for.
        what: String,
        /// The timeout.
        after: Duration,
    },
    /// A newer file of the same module arrived while this load waited.
    #[error("{}: a newer file of module {module:?} arrived while this one waited", path.display())]
    Superseded {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
    },
    /// Another runtime uses the state directory.
    #[error("{}: another runtime uses this state directory", path.display())]
    StateDirInUse {
        /// The state directory.
        path: PathBuf,
    },
    /// The runtime could not use one of its own files or directories.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that failed: "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The modules directory could not be watched.
    #[error("cannot watch {}: {source}", path.display())]
    Watch {
        /// The modules directory.
        path: PathBuf,
        /// The cause.
        source: notify::Error,
    },
    /// A thread of the runtime could not be started.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The runtime is shutting down and accepts no commands.
    #[error("the runtime is shutting down")]
    ShuttingDown,
    /// The runtime failed. This is a bug; please report it.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}
