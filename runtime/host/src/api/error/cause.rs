//! The cause of an error. It decides whether a retry can help.

use segue_loader::MapError;

use super::kind::Error;

/// What must change before a retry can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The file or the request. A retry fails in the same way, also after a restart.
    File,
    /// The system: the disk, a limit, a missing library. A retry succeeds after an operator fixes it.
    Environment,
    /// Something that the runtime holds or does now. A later retry can succeed.
    Busy,
    /// A bug in the runtime.
    Bug,
}

impl Error {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Error::StoreDamaged { .. }
            | Error::Check { .. }
            | Error::NameMismatch { .. }
            | Error::Interface { .. }
            | Error::OnLoad { .. }
            | Error::OnLoadHangs { .. }
            | Error::Sticky { .. }
            | Error::Blocked { .. }
            | Error::Duplicate { .. }
            | Error::KeyReused { .. }
            | Error::NoSuchModule { .. }
            | Error::NoCurrent { .. }
            // The newer file stays the newer one.
            | Error::Superseded { .. } => Cause::File,
            Error::Map { source, .. } => match source {
                MapError::MissingLibrary { .. }
                | MapError::MissingVersion { .. }
                | MapError::LibraryOverwritten { .. }
                | MapError::Noexec { .. }
                | MapError::KeysScarce { .. }
                | MapError::DescriptorsScarce { .. } => Cause::Environment,
                _ => Cause::File,
            },
            // The first member decides, as for the code.
            Error::Set { errors } => errors.first().map_or(Cause::Bug, Error::cause),
            Error::Stage(_)
            | Error::Store { .. }
            | Error::Ledger { .. }
            | Error::LedgerTooNew { .. }
            | Error::StateDirInUse { .. }
            | Error::Io { .. }
            | Error::Watch { .. }
            | Error::Thread { .. } => Cause::Environment,
            Error::NotPurged { .. }
            | Error::QuarantineFull { .. }
            | Error::KeptFull { .. }
            | Error::NothingToRollBack { .. }
            | Error::Deadline { .. }
            | Error::ShuttingDown => Cause::Busy,
            Error::Internal { .. } => Cause::Bug,
        }
    }
}
