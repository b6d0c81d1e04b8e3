//! Why something did not happen: one error for the whole runtime.

use std::{path::PathBuf, time::Duration};

use segue_loader::{CheckError, Digest, InterfaceMismatch, MapError, StageError};

use super::{
    code::Step,
    text::{OldState, list, who},
};
use crate::api::status::Pin;

/// Why something did not happen. Whatever it says, nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No module of this name was ever loaded.
    #[error("there is no module {name:?}")]
    NoSuchModule {
        /// The name that was asked for.
        name: String,
    },
    /// The module has no current version: nothing can be called.
    #[error("module {name:?} has no current version")]
    NoCurrent {
        /// The module.
        name: String,
    },
    /// The file could not be copied into the state directory.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The file of the store is not what its name says.
    #[error("{}: the stored file is damaged: it is not {digest} any more", path.display())]
    StoreDamaged {
        /// The file.
        path: PathBuf,
        /// What it was.
        digest: Digest,
    },
    /// The file is no module that this runtime can take.
    #[error("{}: {source}", path.display())]
    Check {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckError,
    },
    /// The file is another module than its name says.
    #[error("{}: the file is module {found:?}, and its name says {expected:?}", path.display())]
    NameMismatch {
        /// The file.
        path: PathBuf,
        /// The module that the file's name says.
        expected: String,
        /// The module that the file is.
        found: String,
    },
    /// The file could not be mapped, or what it exports does not fit.
    #[error("{}: {source}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// The module that it says it is.
        module: String,
        /// What went wrong.
        source: MapError,
    },
    /// A version does not fit those who call one of its interfaces.
    #[error("{module} {version}: {source}")]
    Interface {
        /// The module.
        module: String,
        /// The version that does not fit.
        version: String,
        /// Where it was noticed; none where it is the caller that came later.
        step: Option<Step>,
        /// What does not fit.
        source: Box<InterfaceMismatch>,
    },
    /// The new version refused to be loaded.
    #[error("{module} {version}: on_load failed: {reason}")]
    OnLoad {
        /// The module.
        module: String,
        /// The version that refused.
        version: String,
        /// Its fault, or its panic.
        reason: String,
    },
    /// An old version is still in use, so that a third cannot come.
    #[error("{module}: old version {version} (generation {generation}) {}{}", state.told(*inside, *since), who(pins))]
    NotPurged {
        /// The module.
        module: String,
        /// The version that is old.
        version: String,
        /// Its generation.
        generation: u64,
        /// The calls inside it.
        inside: u64,
        /// How long it has been old.
        since: Duration,
        /// What keeps it.
        state: OldState,
        /// Who is inside, or what keeps it otherwise.
        pins: Vec<Pin>,
    },
    /// Too many versions of the module are in quarantine.
    #[error("{module}: {quarantined} versions of it cannot leave memory, and {limit} are allowed")]
    QuarantineFull {
        /// The module.
        module: String,
        /// How many there are.
        quarantined: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Too much memory is taken by versions that stay though nobody is inside them.
    #[error(
        "{module}: versions that cannot leave memory take {kept_bytes} bytes, and one more would exceed the {max_bytes} allowed"
    )]
    KeptFull {
        /// The module.
        module: String,
        /// What such versions of all modules take.
        kept_bytes: u64,
        /// What they may take.
        max_bytes: u64,
    },
    /// The module's start did not come to its end. The version is in quarantine until it does.
    #[error("{module} {version}: on_load did not return in {} s", after.as_secs_f64())]
    OnLoadHangs {
        /// The module.
        module: String,
        /// The version that hangs.
        version: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The module does not want to be replaced, or somebody does not want it.
    #[error("{module} is sticky, and not to be replaced")]
    Sticky {
        /// The module.
        module: String,
    },
    /// The file was blocked.
    #[error("{module} {version} is blocked: {why}")]
    Blocked {
        /// The module.
        module: String,
        /// The version.
        version: String,
        /// The file.
        digest: Digest,
        /// Why.
        why: String,
    },
    /// Two files of a set are one module.
    #[error("two files of the set are module {module:?}")]
    Duplicate {
        /// The module.
        module: String,
    },
    /// Several members of a set could not be loaded, and so none was.
    #[error("{} of the set cannot be loaded, and so none was: {}", errors.len(), list(errors))]
    Set {
        /// What is wrong with each of them.
        errors: Vec<Error>,
    },
    /// The key of a command was used for another command before.
    #[error("the key {key:?} was used before, for {command}")]
    KeyReused {
        /// The key.
        key: String,
        /// What it was used for.
        command: String,
    },
    /// The file could not be put into the store.
    #[error("writing {}: {source}", path.display())]
    Store {
        /// The file in the store.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The ledger could not be opened, read or written.
    #[error("{action} {}: {source}", path.display())]
    Ledger {
        /// What was tried, as a verb: "writing".
        action: &'static str,
        /// The ledger's file.
        path: PathBuf,
        /// The database's reason.
        source: rusqlite::Error,
    },
    /// The ledger was written by a later runtime.
    #[error("{}: the ledger has form {schema}, and this runtime knows {supported} at most", path.display())]
    LedgerTooNew {
        /// The ledger's file.
        path: PathBuf,
        /// Its form.
        schema: i64,
        /// The last form that is known.
        supported: i64,
    },
    /// There is no old version to go back to.
    #[error("{module}: there is no old version to go back to")]
    NothingToRollBack {
        /// The module.
        module: String,
    },
    /// Something did not happen in the time that it had.
    #[error("waited {} s for {what}, in vain", after.as_secs_f64())]
    Deadline {
        /// The module that it is about, where it is one.
        module: Option<String>,
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// A newer file of the same module came while this one waited for its turn.
    #[error("{}: a newer file of module {module:?} came while this one waited", path.display())]
    Superseded {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
    },
    /// The state directory is used by another runtime.
    #[error("{}: another runtime uses this state directory", path.display())]
    StateDirInUse {
        /// The state directory.
        path: PathBuf,
    },
    /// A directory or file that the runtime itself needs.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "creating".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The modules directory could not be watched.
    #[error("watching {}: {source}", path.display())]
    Watch {
        /// The modules directory.
        path: PathBuf,
        /// The reason.
        source: notify::Error,
    },
    /// A thread of the runtime could not be started.
    #[error("starting the thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The runtime is shutting down, and takes nothing new.
    #[error("the runtime is shutting down")]
    ShuttingDown,
    /// The runtime itself failed: a bug worth reporting.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}
