//! What is told of an error: its kind, its step, its module, and what to try next.

use segue_loader::{CheckError, MapError, StageError};

use super::{
    code::{Code, Step},
    kind::Error,
    text::OldState,
};

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
                CheckError::ExecutableStack => Code::ExecutableStack,
                _ => Code::BadElf,
            },
            Error::NameMismatch { .. } => Code::NameMismatch,
            Error::Map { source, .. } => match source {
                MapError::MissingSymbol { .. } => Code::MissingSymbol,
                MapError::MissingVersion { .. } => Code::MissingVersion,
                MapError::MissingLibrary { .. } => Code::MissingLibrary,
                MapError::Noexec { .. } => Code::Noexec,
                MapError::ExecutableStack { .. } => Code::ExecutableStack,
                MapError::LibraryOverwritten { .. } => Code::LibraryOverwritten,
                MapError::Open { .. } => Code::LinkFailed,
                MapError::KeysScarce { .. } | MapError::DescriptorsScarce { .. } => Code::Busy,
                _ => Code::AbiMismatch,
            },
            Error::Interface { .. } => Code::InterfaceMismatch,
            Error::OnLoad { .. } => Code::OnLoadFailed,
            Error::NotPurged { .. } | Error::QuarantineFull { .. } | Error::KeptFull { .. } => {
                Code::NotPurged
            }
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
            | Error::KeptFull { .. }
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
            | Error::KeptFull { module, .. }
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
                CheckError::ExecutableStack => NO_EXECUTABLE_STACK,
                _ => return None,
            },
            Error::NameMismatch { .. } => {
                "a module's name is its package's in Cargo.toml; call the file lib<name>.so, or lib<name>-<anything>.so"
            }
            Error::Map { source: MapError::MissingSymbol { .. }, .. } => {
                "link the library that defines it (`cargo::rustc-link-lib` in build.rs); `segue check FILE` shows what is missing"
            }
            Error::Map { source: MapError::MissingVersion { .. }, .. } => {
                "build it on the oldest system that serves it, or update this one"
            }
            Error::Map { source: MapError::MissingLibrary { .. }, .. } => {
                "install the library, link it statically, or put it where the file's RUNPATH leads ($ORIGIN: beside the file)"
            }
            Error::Map { source: MapError::Noexec { .. }, .. } => {
                "mount it with exec, or give the runtime another --state; nothing has changed"
            }
            Error::Map { source: MapError::ExecutableStack { .. }, .. } => NO_EXECUTABLE_STACK,
            Error::Map { source: MapError::LibraryOverwritten { .. }, .. } => {
                "restart the runtime before its code is called; replace a library by renaming a new file to its name"
            }
            Error::Map { source: MapError::Open { .. }, .. } => {
                "`segue check FILE` and `ldd FILE` show what it is linked to"
            }
            Error::Map { source: MapError::KeysScarce { .. }, .. } => {
                "something in this process makes keys and does not give them back; segue's modules do"
            }
            Error::Map { source: MapError::DescriptorsScarce { .. }, .. } => {
                "raise the limit (`ulimit -n`, `LimitNOFILE=`); `segue history` names versions that left descriptors open"
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
            Error::KeptFull { .. } => {
                "`segue pins` says what keeps each; raise `Builder::kept_bytes_max`, or restart the runtime"
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

/// What to do about an executable stack, as `segue check` says it too.
pub(crate) const NO_EXECUTABLE_STACK: &str =
    "add `.section .note.GNU-stack,\"\",@progbits` to its assembly files, or link it with `-z noexecstack`";
