//! Why something did not happen: one error for the whole runtime, which names the step, the reason and what to try next.

use std::{fmt, path::PathBuf, time::Duration};

use segue_loader::{CheckError, Digest, InterfaceMismatch, MapError, StageError};
use serde::{Deserialize, Serialize};

use crate::Pin;

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
    #[error("{}: the ledger has form {form}, and this runtime knows {known} at most", path.display())]
    LedgerTooNew {
        /// The ledger's file.
        path: PathBuf,
        /// Its form.
        form: i64,
        /// The last form that is known.
        known: i64,
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

/// What keeps an old version that a third cannot take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldState {
    /// Calls are inside.
    Draining,
    /// Nobody is inside; it is kept for a rollback, since current is on trial.
    Warm,
    /// Nobody is inside, and it is being taken out of memory.
    Leaving,
}

/// What kind of refusal an error is: the `code` of an error object. The list is a promise, and grows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// No such module, or no such file.
    NotFound,
    /// The file could not be read.
    BadFile,
    /// The file is no ELF shared object, or a damaged one.
    BadElf,
    /// The file is for another machine.
    WrongMachine,
    /// The file does not say that it is a module.
    NoMetadata,
    /// The file is another module than was expected.
    NameMismatch,
    /// The file does not fit this runtime.
    AbiMismatch,
    /// An interface of the module does not fit those who use it.
    InterfaceMismatch,
    /// The file is not signed.
    Unsigned,
    /// The file's signature is not valid.
    BadSignature,
    /// The file was blocked.
    Blocked,
    /// The probe failed.
    ProbeFailed,
    /// The new version refused to be loaded.
    OnLoadFailed,
    /// The state could not be handed over.
    CodeChangeFailed,
    /// The old version is still in use.
    NotPurged,
    /// There is no old version to go back to.
    NothingToRollBack,
    /// The module does not want to be replaced.
    Sticky,
    /// Somebody else is at it.
    Busy,
    /// It took too long.
    Deadline,
    /// Not allowed.
    Denied,
    /// The runtime cannot be reached.
    Unreachable,
    /// The request makes no sense.
    BadRequest,
    /// The request is too large.
    TooLarge,
    /// The runtime itself failed.
    Internal,
}

/// Where on the journey of a version something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Copying the file into the state directory.
    Stage,
    /// Reading what the file is, without running it.
    Read,
    /// Mapping it, and checking what it exports.
    Map,
    /// The module's own start.
    OnLoad,
    /// Noting in the ledger what is about to be.
    Record,
    /// Making it current.
    Publish,
    /// Going back.
    Rollback,
    /// Taking an old version down.
    Purge,
}

/// An error as the command's `--json` and the control socket write it, inside `{"error": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// What kind of refusal it is.
    pub code: Code,
    /// Where on the journey of a version it happened.
    pub step: Option<Step>,
    /// The module that it is about.
    pub module: Option<String>,
    /// What happened, and why.
    pub message: String,
    /// What to try next.
    pub hint: Option<String>,
    /// Where it is about a set: what is wrong with each member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<ErrorObject>,
}

// === impl Error ===

impl Error {
    /// What kind of refusal this is.
    pub fn code(&self) -> Code {
        match self {
            Error::NoSuchModule { .. } | Error::NoCurrent { .. } => Code::NotFound,
            Error::Stage(StageError::NotFound { .. }) => Code::NotFound,
            Error::Stage(StageError::TooLarge { .. }) => Code::TooLarge,
            Error::Stage(StageError::Write { .. }) => Code::Internal,
            Error::Stage(_) | Error::StoreDamaged { .. } => Code::BadFile,
            Error::Check { source, .. } => match source {
                CheckError::WrongMachine { .. } => Code::WrongMachine,
                CheckError::NoMetadata | CheckError::BadMetadata { .. } => Code::NoMetadata,
                CheckError::Revision { .. } => Code::AbiMismatch,
                _ => Code::BadElf,
            },
            Error::NameMismatch { .. } => Code::NameMismatch,
            Error::Map { source, .. } => match source {
                MapError::Open { .. } => Code::BadElf,
                MapError::KeysScarce { .. } => Code::Busy,
                _ => Code::AbiMismatch,
            },
            Error::Interface { .. } => Code::InterfaceMismatch,
            Error::OnLoad { .. } => Code::OnLoadFailed,
            Error::NotPurged { .. } | Error::QuarantineFull { .. } => Code::NotPurged,
            Error::NothingToRollBack { .. } => Code::NothingToRollBack,
            Error::Deadline { .. } | Error::OnLoadHangs { .. } => Code::Deadline,
            Error::Sticky { .. } => Code::Sticky,
            Error::Blocked { .. } => Code::Blocked,
            Error::Duplicate { .. } | Error::KeyReused { .. } => Code::BadRequest,
            // The first is as good as any other; each is told with the set.
            Error::Set { errors } => errors.first().map_or(Code::Internal, Error::code),
            Error::Ledger { .. } | Error::LedgerTooNew { .. } => Code::Internal,
            Error::Superseded { .. } | Error::StateDirInUse { .. } | Error::ShuttingDown => Code::Busy,
            Error::Store { .. }
            | Error::Io { .. }
            | Error::Watch { .. }
            | Error::Thread { .. }
            | Error::Internal { .. } => Code::Internal,
        }
    }

    /// Where on the journey of a version it happened.
    pub fn step(&self) -> Option<Step> {
        match self {
            Error::Stage(_) | Error::Store { .. } | Error::StoreDamaged { .. } => Some(Step::Stage),
            Error::Check { .. } | Error::NameMismatch { .. } => Some(Step::Read),
            Error::Map { .. } => Some(Step::Map),
            Error::Interface { step, .. } => *step,
            Error::OnLoad { .. } | Error::OnLoadHangs { .. } => Some(Step::OnLoad),
            Error::Sticky { .. } | Error::Blocked { .. } | Error::Duplicate { .. } => Some(Step::Read),
            Error::Set { errors } => errors.first().and_then(Error::step),
            Error::Ledger { action: "writing", .. } => Some(Step::Record),
            Error::NotPurged { .. }
            | Error::QuarantineFull { .. }
            | Error::Superseded { .. }
            | Error::Deadline { module: Some(_), .. } => Some(Step::Publish),
            Error::NothingToRollBack { .. } => Some(Step::Rollback),
            _ => None,
        }
    }

    /// The module that it is about, where that is known.
    pub fn module(&self) -> Option<&str> {
        match self {
            Error::NoSuchModule { name } | Error::NoCurrent { name } => Some(name),
            Error::NameMismatch { expected, .. } => Some(expected),
            Error::Map { module, .. }
            | Error::Interface { module, .. }
            | Error::OnLoad { module, .. }
            | Error::OnLoadHangs { module, .. }
            | Error::Sticky { module }
            | Error::Blocked { module, .. }
            | Error::Duplicate { module }
            | Error::NotPurged { module, .. }
            | Error::QuarantineFull { module, .. }
            | Error::NothingToRollBack { module }
            | Error::Superseded { module, .. } => Some(module),
            Error::Deadline { module, .. } => module.as_deref(),
            _ => None,
        }
    }

    /// What to try next.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Error::NoSuchModule { .. } => "see what is loaded with `segue ls`",
            Error::NoCurrent { .. } => "load a version of it",
            Error::Stage(StageError::NotFound { .. }) => "cargo puts a module at target/release/lib<name>.so",
            Error::Stage(StageError::Changed { .. }) => {
                "wait until it is written, or copy it and then rename it"
            }
            Error::Stage(StageError::Write { .. }) => {
                "see that the state directory has room and can be written to"
            }
            Error::Stage(StageError::Read { .. }) => {
                "see that the runtime's user may read the file; one in the modules directory is taken when it is touched"
            }
            Error::Stage(_) => "give a .so file that cargo built",
            Error::StoreDamaged { .. } => "put the file again, or load it from where it is",
            Error::Check { source, .. } => match source {
                CheckError::NotElf | CheckError::NotShared { .. } => {
                    "a module is a crate with crate-type = [\"cdylib\"]; `segue new NAME` writes one"
                }
                CheckError::Damaged { .. } => {
                    "copy the file again, whole; best under another name, and then rename it"
                }
                CheckError::WrongMachine { .. } => "build it for this machine, or with cargo's --target",
                CheckError::NoMetadata | CheckError::BadMetadata { .. } => {
                    "the crate needs segue-sdk, and export_module! with the type that is its logic"
                }
                CheckError::StaticTls => {
                    "compile what it contains with -ftls-model=global-dynamic (mimalloc: its feature local_dynamic_tls)"
                }
                CheckError::Revision { .. } => "build it with the segue-sdk that belongs to this runtime",
                _ => return None,
            },
            Error::NameMismatch { .. } => {
                "a module's name is its package's in Cargo.toml; call the file lib<name>.so, or lib<name>-<anything>.so"
            }
            Error::Map { source: MapError::Open { .. }, .. } => {
                "see what it is linked to with `ldd FILE`, and that the state directory allows running files"
            }
            Error::Map { source: MapError::KeysScarce { .. }, .. } => {
                "something in this process makes keys and does not give them back; segue's modules do"
            }
            Error::Map { .. } => "build it with the segue-sdk that belongs to this runtime",
            Error::Interface { .. } => {
                "an interface may only grow, by methods behind its last one; `segue status` shows who calls, `segue check FILE` what the file exports"
            }
            Error::OnLoad { .. } => "the module's log says more; what was current still is",
            Error::OnLoadHangs { .. } => {
                "`segue pins` shows it until its on_load returns; what was current still is"
            }
            Error::Sticky { .. } => "`segue unstick MODULE` allows it",
            Error::Blocked { .. } => {
                "build one that does not fail so; `segue unblock DIGEST` allows this one again"
            }
            Error::Duplicate { .. } => "give each module once",
            Error::Set { .. } => "mend, or leave out, each of them; the others would load",
            Error::KeyReused { .. } => "give each command a key of its own",
            Error::Store { .. } | Error::Ledger { .. } => {
                "see that the state directory has room and can be written to; nothing has changed"
            }
            Error::LedgerTooNew { .. } => "run the runtime that wrote it, or give this one another --state",
            Error::NotPurged { state: OldState::Warm, .. } => {
                "current is on trial: `segue confirm` or `segue rollback` ends it; --policy supersede gives old up"
            }
            Error::NotPurged { .. } => {
                "have the calls inside end (`segue purge`), or load with --policy wait or supersede"
            }
            Error::QuarantineFull { .. } => {
                "`segue pins` shows who holds them; when they are let go they leave by themselves, or restart the runtime"
            }
            Error::NothingToRollBack { .. } => {
                "the ledger knows no earlier version of it that is not blocked (`segue history MODULE`); load a file"
            }
            Error::Deadline { .. } => "`segue status` shows who is inside; give a longer --deadline",
            Error::Superseded { .. } => "nothing: the newer file is taken",
            Error::StateDirInUse { .. } => "end the other runtime, or give this one another --state",
            Error::Io { .. } => {
                "the state directory must be a directory with room that this user may write to: --state DIR"
            }
            Error::Watch { .. } => "see that the modules directory exists and can be read",
            _ => return None,
        })
    }
}

/// How many of those who hold a version are told in an error; `segue pins` tells them all.
const TOLD_MAX: usize = 3;

fn who(pins: &[Pin]) -> String {
    let told: Vec<&str> = pins.iter().take(TOLD_MAX).map(|pin| pin.detail.as_str()).collect();
    match pins.len() {
        0 => String::new(),
        count if count > TOLD_MAX => format!(": {}; and {} more", told.join("; "), count - TOLD_MAX),
        _ => format!(": {}", told.join("; ")),
    }
}

fn list(errors: &[Error]) -> String {
    errors.iter().map(Error::to_string).collect::<Vec<_>>().join("; ")
}

// === impl OldState ===

impl OldState {
    fn told(self, inside: u64, since: Duration) -> String {
        let since = since.as_secs_f64();
        match self {
            OldState::Draining => {
                format!("has calls inside still: {inside}; it has been old for {since:.1} s")
            }
            OldState::Warm => {
                format!("is kept for a rollback, since current is on trial: {since:.1} s by now")
            }
            OldState::Leaving => format!("is being taken out of memory; it has been old for {since:.1} s"),
        }
    }
}

// === impl ErrorObject ===

impl From<&Error> for ErrorObject {
    fn from(error: &Error) -> Self {
        ErrorObject {
            code: error.code(),
            step: error.step(),
            module: error.module().map(str::to_owned),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            members: match error {
                Error::Set { errors } => errors.iter().map(ErrorObject::from).collect(),
                _ => Vec::new(),
            },
        }
    }
}

/// As it is written in JSON: `not_found`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// As it is written in JSON: `on_load`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_steps_are_written_as_promised() {
        assert_eq!(Code::OnLoadFailed.to_string(), "on_load_failed");
        assert_eq!(Step::OnLoad.to_string(), "on_load");
        let error = Error::NothingToRollBack { module: "greeter".to_owned() };
        let json = serde_json::to_value(ErrorObject::from(&error)).unwrap();
        assert_eq!(json["code"], "nothing_to_roll_back");
        assert_eq!(json["step"], "rollback");
        assert_eq!(json["module"], "greeter");
        assert!(json["hint"].is_string());
    }
}
