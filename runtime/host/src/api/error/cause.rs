//! What an error is about, for whoever decides whether to try again.

use segue_loader::MapError;

use super::kind::Error;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The file, or what was asked. The same again fails the same, also after a restart.
    File,
    /// The system: the disk, a limit, a library that is missing. Somebody has to change that, and then it works.
    Environment,
    /// What the runtime keeps or does at the moment. It works later.
    Busy,
    /// A bug of the runtime.
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
            // A newer file was taken, and stays the newer one.
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
            // It is about its first member, as the code is.
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
