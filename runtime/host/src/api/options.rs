//! The options of a load: the source, the policy, the deadline and the trial.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use segue_loader::Digest;
use serde::{Deserialize, Serialize};

/// The source of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The file with this digest, from the store in the state directory.
    Stored(Digest),
}

/// The options of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// What to do if the module has an old version that is still in memory.
    pub policy: Policy,
    /// How long the load may wait for another load of the same module, for the old version if the policy
    /// waits, and for the module's `on_load`.
    pub deadline: Duration,
    /// The trial of the version, if it has one. During the trial a restart does not return to the version,
    /// and the previous version stays in memory even if no call is inside.
    pub trial: Option<Trial>,
}

/// A trial of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How long the trial lasts unless the version is confirmed earlier.
    pub length: Duration,
    /// What happens at the end if the version was not confirmed.
    pub at_end: TrialEnd,
}

/// What happens when a trial ends without a confirmation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    /// The previous version becomes current again. If there is none, the version stays current, unconfirmed.
    #[default]
    RollBack,
    /// The version is confirmed.
    Confirm,
}

/// What a load does if the module's old version is still in memory. A module has at most two versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The load fails. The error lists the calls inside.
    #[default]
    Refuse,
    /// The load waits until the old version is unloaded.
    Wait,
    /// The load purges the old version first. It asks the calls inside to end, and quarantines the version if
    /// they have not ended at the deadline.
    Supersede,
}

/// The limits and timeouts of a runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most versions of one module in quarantine with calls inside. At the limit, loads are refused.
    pub(crate) quarantine_max: usize,
    /// The most memory, in bytes, of versions that stay in memory with no call inside, of all modules. At the
    /// limit, loads that may add to it are refused. If `None`, the size of the machine decides.
    pub(crate) kept_bytes_max: Option<u64>,
    /// How long a purge waits for unregistered threads.
    pub(crate) cleanup_timeout: Duration,
    /// How long idle threads of a version may stay after the module's value was dropped.
    pub(crate) idle_thread_timeout: Duration,
    /// How long callers wait for a module's first version while it starts.
    pub(crate) first_version_timeout: Duration,
    /// How long `on_load` may take for a load without a deadline of its own.
    pub(crate) on_load_timeout: Duration,
    /// A version that was loaded without a trial is blocked if it crashes the process within this time.
    pub(crate) crash_window: Duration,
}

/// The text is not a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid policy: use \"refuse\", \"wait\" or \"supersede\"")]
pub struct ParsePolicyError;

/// The text is not the end of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid end of a trial: use \"roll_back\" or \"confirm\"")]
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
    /// Policy `refuse`, a deadline of 30 s, and no trial.
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
