//! An error's code, step, module and hint.

use segue_loader::{CheckError, MapError, StageError};

use super::{
    code::{Code, Step},
    kind::Error,
    text::OldState,
};

// === impl Error ===

impl Error {
    /// The kind of the error.
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
            // The first member decides. The message lists all.
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

    /// The step that failed, if it failed in one.
    pub fn step(&self) -> Option<Step> {
        match self {
            Error::Stage(_) | Error::Store { .. } | Error::StoreDamaged { .. } => Some(Step::Stage),
            Error::Check { .. } | Error::NameMismatch { .. } => Some(Step::Read),
            Error::Map { .. } => Some(Step::Map),
            Error::Interface { step, .. } => *step,
            Error::OnLoad { .. } | Error::OnLoadHangs { .. } => Some(Step::OnLoad),
            Error::Sticky { .. } | Error::Blocked { .. } | Error::Duplicate { .. } => Some(Step::Read),
            Error::Set { errors } => errors.first().and_then(Error::step),
            Error::Ledger { action: "write", .. } => Some(Step::Record),
            Error::NotPurged { .. }
            | Error::QuarantineFull { .. }
            | Error::KeptFull { .. }
            | Error::Superseded { .. }
            | Error::Deadline { module: Some(_), .. } => Some(Step::Publish),
            Error::NothingToRollBack { .. } => Some(Step::Rollback),
            _ => None,
        }
    }

    /// The module that the error concerns, if it is known.
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

    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Error::NoSuchModule { .. } => "`segue ls` lists the loaded modules",
            Error::NoCurrent { .. } => "load a version of the module",
            Error::Stage(source) => stage_hint(source),
            Error::StoreDamaged { .. } => "put the image again, or load the original file",
            Error::Check { source, .. } => return check_hint(source),
            Error::NameMismatch { .. } => {
                "name the file lib<name>.so or lib<name>-<anything>.so, with <name> from Cargo.toml"
            }
            Error::Map { source, .. } => map_hint(source),
            Error::Interface { .. } => {
                "add methods only at the end; `segue status` lists callers, `segue check FILE` lists exports"
            }
            Error::OnLoad { .. } => {
                "see the module's log for the reason; the version that was current still is"
            }
            Error::OnLoadHangs { .. } => {
                "`segue pins` lists it until on_load returns; the version that was current still is"
            }
            Error::Sticky { .. } => "`segue unstick MODULE` allows it",
            Error::Blocked { .. } => "build a fixed version, or allow this file with `segue unblock DIGEST`",
            Error::Duplicate { .. } => "list each module once",
            Error::Set { .. } => "fix or remove the modules listed; the rest would load",
            Error::KeyReused { .. } => "use a new key for each command",
            Error::Store { .. } | Error::Ledger { .. } => {
                "check that the state directory is writable and has free space; nothing has changed"
            }
            Error::LedgerTooNew { .. } => {
                "run the version of segue that wrote the ledger, or use another state directory with --state"
            }
            Error::NotPurged { state: OldState::Warm, .. } => {
                "end the trial (`segue confirm` or `segue rollback`), or discard old with --policy supersede"
            }
            Error::NotPurged { .. } => {
                "end the calls inside with `segue purge`, or load with --policy wait or --policy supersede"
            }
            Error::QuarantineFull { .. } => {
                "`segue pins` lists what keeps them; wait until it ends, or restart the runtime"
            }
            Error::KeptFull { .. } => {
                "`segue pins` lists what keeps them; raise `Builder::kept_bytes_max` or restart the runtime"
            }
            Error::NothingToRollBack { .. } => {
                "load a file: the ledger has no earlier version that is not blocked (`segue history MODULE`)"
            }
            Error::Deadline { .. } => {
                "`segue status` shows the calls inside; try again with a longer --deadline"
            }
            Error::Superseded { .. } => "do nothing: the runtime loads the newer file",
            Error::StateDirInUse { .. } => {
                "stop the other runtime, or use another state directory with --state"
            }
            Error::Io { .. } => {
                "set --state to a directory that the runtime's user can write to and that has free space"
            }
            Error::Watch { .. } => "check that the modules directory exists and is readable",
            _ => return None,
        })
    }
}

fn stage_hint(error: &StageError) -> &'static str {
    match error {
        StageError::NotFound { .. } => "cargo puts a module at target/release/lib<name>.so",
        StageError::Changed { .. } => {
            "try again when the file is complete; to replace it safely, copy to another name and rename"
        }
        StageError::Write { .. } => "check that the state directory is writable and has free space",
        StageError::Read { .. } => {
            "let the runtime's user read the file; in the modules directory, then touch it to load it"
        }
        _ => "use a .so file that cargo built",
    }
}

fn check_hint(error: &CheckError) -> Option<&'static str> {
    Some(match error {
        CheckError::NotElf | CheckError::NotShared { .. } => {
            "build a crate with crate-type = [\"cdylib\"]; `segue new NAME` creates one"
        }
        CheckError::Damaged { .. } => "copy the whole file again, to another name, and then rename it",
        CheckError::WrongMachine { .. } => "build for this machine, or set cargo's --target",
        CheckError::NoMetadata | CheckError::BadMetadata { .. } => {
            "add segue-sdk to the crate, and call export_module! with the type that is its logic"
        }
        CheckError::StaticTls => {
            "compile with -ftls-model=global-dynamic (for mimalloc: the feature local_dynamic_tls)"
        }
        CheckError::Revision { .. } => SAME_SDK,
        CheckError::ExecutableStack => NO_EXECUTABLE_STACK,
        _ => return None,
    })
}

fn map_hint(error: &MapError) -> &'static str {
    match error {
        MapError::MissingSymbol { .. } => {
            "link the library that defines it (`cargo::rustc-link-lib` in build.rs); see `segue check FILE`"
        }
        MapError::MissingVersion { .. } => {
            "build on the oldest system that runs the module, or update this system"
        }
        MapError::MissingLibrary { .. } => {
            "install the library, link it statically, or put it in the RUNPATH ($ORIGIN: next to the file)"
        }
        MapError::Noexec { .. } => {
            "remount it with exec, or use another state directory with --state; nothing has changed"
        }
        MapError::ExecutableStack { .. } => NO_EXECUTABLE_STACK,
        MapError::LibraryOverwritten { .. } => {
            "restart the runtime before it calls the library; replace libraries by renaming, not in place"
        }
        MapError::Open { .. } => "`segue check FILE` and `ldd FILE` list the libraries that it links",
        MapError::KeysScarce { .. } => {
            "find what leaks pthread keys in this process; segue deletes those of its modules"
        }
        MapError::DescriptorsScarce { .. } => {
            "raise the limit (`ulimit -n`, `LimitNOFILE=`); `segue history` shows who left files open"
        }
        _ => SAME_SDK,
    }
}

const SAME_SDK: &str = "build the module with the segue-sdk of this runtime";

/// How to remove an executable stack. `segue check` prints it too.
pub(crate) const NO_EXECUTABLE_STACK: &str =
    "add `.section .note.GNU-stack,\"\",@progbits` to its assembly files, or link it with `-z noexecstack`";
