//! Why a call has no answer.

use std::fmt;

/// A version and the load that brought it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VersionId {
    /// The version.
    pub version: String,
    /// The generation.
    pub generation: u64,
}

/// Why a call has no answer. Only this call failed.
///
/// It is small, since it is part of what each call returns; what happened is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    failure: Box<CallFailure>,
}

/// What happened to a call that has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The module has no current version.
    NoCurrent {
        /// The module.
        module: String,
    },
    /// The version that is current does not export the interface.
    NotExported {
        /// The module.
        module: String,
        /// The interface.
        interface: String,
    },
    /// The caller is a version that is being purged, and is to come to its end instead of calling others.
    Cancelled {
        /// The module that calls.
        module: String,
        /// The version of it that calls.
        version: VersionId,
    },
    /// The module said that it failed.
    Fault {
        /// The module.
        module: String,
        /// The version that failed.
        version: VersionId,
        /// Its words.
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
        /// The source file, as the compiler named it.
        file: String,
        /// The line in it.
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
    /// What happened.
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
                    "{module} {version} is being purged, and is to come to its end: it calls nobody any more"
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
