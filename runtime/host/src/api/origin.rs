//! Who asked for something.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who asked for something, as the ledger has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actor {
    /// The program that embeds the runtime.
    #[default]
    Embedder,
    /// A process on the control socket, as the kernel told when it connected.
    Peer {
        /// Its user.
        uid: u32,
        /// Its process id; it may mean another process by now.
        pid: Option<i32>,
    },
    /// A file that was put into the modules directory.
    File {
        /// The file.
        path: String,
    },
    /// The runtime itself.
    Runtime {
        /// What for, in words.
        why: String,
    },
}

/// A command's asker, and how to tell the same command from another like it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// Who asked.
    pub actor: Actor,
    /// Sent twice with the same key, a command is done once, and answered the same. Also when the runtime has ended in between.
    pub key: Option<String>,
}

// === impl By ===

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
