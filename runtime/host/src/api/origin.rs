//! Who sent a command.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who sent a command. The ledger stores it with each event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actor {
    /// The program that embeds the runtime.
    #[default]
    Embedder,
    /// A process on the control socket. The kernel reported it when it connected.
    Peer {
        /// The user id.
        uid: u32,
        /// The process id. By now it may belong to another process.
        pid: Option<i32>,
    },
    /// A file in the modules directory.
    File {
        /// The file.
        path: String,
    },
    /// The runtime itself.
    Runtime {
        /// The reason, for people.
        why: String,
    },
}

/// Who sends a command, and the command's idempotency key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// Who sends the command.
    pub actor: Actor,
    /// The idempotency key. A command that is sent twice with the same key runs once, and both answers are
    /// equal. This holds across restarts of the runtime.
    pub key: Option<String>,
}

// === impl Actor ===

impl Actor {
    /// The runtime itself.
    pub(crate) fn runtime(why: &str) -> Self {
        Actor::Runtime { why: why.to_owned() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Embedder => write!(f, "the program"),
            Actor::Peer { uid, pid: Some(pid) } => write!(f, "uid {uid}, pid {pid}"),
            Actor::Peer { uid, pid: None } => write!(f, "uid {uid}"),
            Actor::File { path } => write!(f, "the file {path}"),
            Actor::Runtime { why } => write!(f, "the runtime: {why}"),
        }
    }
}
