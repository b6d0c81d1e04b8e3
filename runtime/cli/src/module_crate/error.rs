//! Why a module crate was not written.

use std::{io, path::PathBuf};

use segue::Code;

/// Why a module crate was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NewError {
    /// The name is not valid for a module.
    #[error("{name:?} is not a valid module name: {reason}")]
    Name {
        /// The name.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The directory exists.
    #[error("{}: it already exists", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The directory for `--sdk` has no SDK.
    #[error("{}: there is no segue-sdk in this directory", path.display())]
    NoSdk {
        /// The directory.
        path: PathBuf,
    },
    /// The path of the SDK cannot be written into a manifest.
    #[error("{}: the path is not UTF-8, so Cargo.toml cannot contain it", path.display())]
    SdkPath {
        /// The directory.
        path: PathBuf,
    },
    /// A file or directory could not be written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The failed action: "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

// === impl NewError ===

impl NewError {
    pub(crate) fn code(&self) -> Code {
        match self {
            NewError::Name { .. } | NewError::SdkPath { .. } => Code::BadRequest,
            NewError::Exists { .. } => Code::Busy,
            NewError::NoSdk { .. } => Code::NotFound,
            NewError::Io { .. } => Code::Internal,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            NewError::Name { name, .. } if name.contains('/') => {
                Some("give a name, not a path; the crate is created in the working directory")
            }
            NewError::Exists { .. } => Some("choose another name, or remove the directory"),
            NewError::NoSdk { .. } => Some("--sdk takes the directory runtime/sdk of a checkout"),
            _ => None,
        }
    }
}
