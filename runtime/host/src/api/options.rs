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
    /// How long the load may wait: for another load of the same module, for the old version where the policy says so, and for
    /// the module's own start.
    pub deadline: Duration,
    /// Whether the version is on trial at first: then a restart does not return to it, and old is kept, also when nobody is inside
    /// it, until the trial ends.
    pub trial: Option<Trial>,
}

/// A trial of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How long it may take until somebody confirms it.
    pub length: Duration,
    /// What happens where nobody has by then.
    pub at_end: TrialEnd,
}

/// What happens at the end of a trial that nobody has confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    /// The version before is current again. Where there is none, the version stays, unconfirmed.
    #[default]
    RollBack,
    /// It is confirmed.
    Confirm,
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
    /// It purges the old version first: its calls are asked to end, and where they have not at the deadline, the old version is
    /// put in quarantine.
    Supersede,
}

/// How much a runtime puts up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Versions of one module in quarantine before a load of it is refused.
    pub(crate) quarantine_max: usize,
    /// The memory of versions that stay though nobody is inside, of all modules, before a load that may add to it is refused; none if the machine decides.
    pub(crate) kept_bytes_max: Option<u64>,
    /// How long a purge waits for threads that cannot be asked.
    pub(crate) cleanup_timeout: Duration,
    /// How long the threads of a version whose value has gone may wait before they are ended.
    pub(crate) idle_thread_timeout: Duration,
    /// How long callers of a module whose first start goes on wait for it.
    pub(crate) first_version_timeout: Duration,
    /// How long the start of a version may take that comes without a deadline of its own.
    pub(crate) on_load_timeout: Duration,
    /// How long a version that was confirmed at once must have been in memory for a crash in it not to be held against it.
    pub(crate) crash_window: Duration,
}

/// A text that is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy is \"refuse\", \"wait\" or \"supersede\"")]
pub struct ParsePolicyError;

/// A text that is no end of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trial ends with \"roll_back\" or \"confirm\"")]
pub struct ParseTrialEndError;

// === impl Limits, Policy, TrialEnd, LoadOptions, Source ===

impl Default for Limits {
    fn default() -> Self {
        Limits {
            quarantine_max: 4,
            kept_bytes_max: None,
            cleanup_timeout: Duration::from_millis(100),
            idle_thread_timeout: Duration::from_secs(5),
            first_version_timeout: Duration::from_secs(5),
            on_load_timeout: Duration::from_secs(30),
            crash_window: Duration::from_secs(10),
        }
    }
}

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        match text {
            "refuse" => Ok(Policy::Refuse),
            "wait" => Ok(Policy::Wait),
            "supersede" => Ok(Policy::Supersede),
            _ => Err(ParsePolicyError),
        }
    }
}

impl FromStr for TrialEnd {
    type Err = ParseTrialEndError;

    fn from_str(text: &str) -> Result<Self, ParseTrialEndError> {
        match text {
            "roll_back" | "rollback" => Ok(TrialEnd::RollBack),
            "confirm" => Ok(TrialEnd::Confirm),
            _ => Err(ParseTrialEndError),
        }
    }
}

impl Default for LoadOptions {
    /// Refuses a third version, waits 30 s for another load of the same module, and confirms at once.
    fn default() -> Self {
        LoadOptions { policy: Policy::Refuse, deadline: Duration::from_secs(30), trial: None }
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
