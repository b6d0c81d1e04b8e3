//! What a load is asked: from where, and how.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use segue_loader::Digest;
use serde::{Deserialize, Serialize};

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The file with this digest in the store of the state directory.
    Stored(Digest),
}

/// How a load goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// What to do where an old version is still in use.
    pub policy: Policy,
    /// How long the load may wait: for another load of the same module, and for the old version where the policy says so.
    pub deadline: Duration,
}

/// What a load does when the module has an old version that is still in use: there can be no third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is refused, and says who is inside.
    #[default]
    Refuse,
    /// It waits for the old version to be gone.
    Wait,
}

/// How much a runtime puts up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Versions of one module in quarantine before a load of it is refused.
    pub(crate) quarantine_max: usize,
    /// How long a purge waits for threads that cannot be asked.
    pub(crate) stranger_patience: Duration,
}

/// A text that is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy is \"refuse\" or \"wait\"")]
pub struct ParsePolicyError;

// === impl Limits, Policy, LoadOptions, Source ===

impl Default for Limits {
    fn default() -> Self {
        Limits { quarantine_max: 4, stranger_patience: Duration::from_millis(100) }
    }
}

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        match text {
            "refuse" => Ok(Policy::Refuse),
            "wait" => Ok(Policy::Wait),
            _ => Err(ParsePolicyError),
        }
    }
}

impl Default for LoadOptions {
    /// Refuses a third version, and waits 30 s for another load of the same module.
    fn default() -> Self {
        LoadOptions { policy: Policy::Refuse, deadline: Duration::from_secs(30) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Stored(digest) => write!(f, "{digest}"),
        }
    }
}
