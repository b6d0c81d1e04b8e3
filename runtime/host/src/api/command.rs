//! The commands that an idempotency key can name.

use std::fmt;

use segue_loader::Digest;
use serde::{Deserialize, Serialize};

use crate::api::options::Source;

/// A command and its arguments. The ledger stores it with its key and its answer. A later command with the
/// same key is compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum Command {
    /// The files as printed: paths or digests.
    Load {
        sources: Vec<String>,
    },
    Rollback {
        module: String,
    },
    Confirm {
        module: String,
    },
    Delete {
        module: String,
    },
    Stick {
        module: String,
    },
    Unstick {
        module: String,
    },
    Unblock {
        digest: Digest,
    },
}

// === impl Command ===

impl Command {
    pub(crate) fn load(sources: &[Source]) -> Self {
        Command::Load { sources: sources.iter().map(Source::to_string).collect() }
    }
}

/// As a person types it: `load a.so b.so`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Load { sources } => {
                write!(f, "load")?;
                sources.iter().try_for_each(|source| write!(f, " {source}"))
            }
            Command::Rollback { module } => write!(f, "rollback {module}"),
            Command::Confirm { module } => write!(f, "confirm {module}"),
            Command::Delete { module } => write!(f, "delete {module}"),
            Command::Stick { module } => write!(f, "stick {module}"),
            Command::Unstick { module } => write!(f, "unstick {module}"),
            Command::Unblock { digest } => write!(f, "unblock {digest}"),
        }
    }
}
