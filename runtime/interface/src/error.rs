//! Why a call failed.

use std::fmt;

/// A version, and the load that made it current.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VersionId {
    /// The version, as in the module's `Cargo.toml`.
    pub version: String,
    /// The generation: the number of its load.
    pub generation: u64,
}

/// Why a call failed. Other calls are not affected.
///
/// It is as small as a pointer, because each call returns a `Result` with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    failure: Box<CallFailure>,
}

/// The reason of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The module has no current version.
    NoCurrent {
        /// The module.
        module: String,
    },
    /// The current version does not export the interface.
    NotExported {
        /// The module.
        module: String,
        /// The interface.
        interface: String,
    },
    /// The calling version is being purged. Its calls should end, so it cannot call other modules.
    Cancelled {
        /// The calling module.
        module: String,
        /// Its version.
        version: VersionId,
    },
    /// The module returned a fault.
    Fault {
        /// The module.
        module: String,
        /// The version that failed.
        version: VersionId,
        /// The text of the fault.
        text: String,
    },
    /// The module panicked.
    Panicked {
        /// The module.
        module: String,
        /// The version that panicked.
        version: VersionId,
        /// The panic's message.
        message: String,
        /// The source file, as the compiler names it.
        file: String,
        /// The line in the file.
        line: u32,
    },
}

// === impl VersionId ===

/// As in the header `x-segue-version`: `1.2.0+g7`.
impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+g{}", self.version, self.generation)
    }
}

// === impl CallError ===

impl CallError {
    /// The reason.
    pub fn failure(&self) -> &CallFailure {
        &self.failure
    }
}

impl From<CallFailure> for CallError {
    fn from(failure: CallFailure) -> Self {
        CallError { failure: Box::new(failure) }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.failure {
            CallFailure::NoCurrent { module } => write!(f, "module {module:?} has no current version"),
            CallFailure::NotExported { module, interface } => {
                write!(
                    f,
                    "the current version of module {module:?} does not export the interface {interface}"
                )
            }
            CallFailure::Cancelled { module, version } => {
                write!(
                    f,
                    "{module} {version} is being purged and cannot call other modules; return from the call"
                )
            }
            CallFailure::Fault { module, version, text } => write!(f, "{module} {version}: {text}"),
            CallFailure::Panicked { module, version, message, file, line } => {
                write!(f, "{module} {version} panicked at {file}:{line}: {message}")
            }
        }
    }
}

impl std::error::Error for CallError {}
