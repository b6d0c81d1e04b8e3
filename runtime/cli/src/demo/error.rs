//! Why the demo could not be carried out.

use std::{io, path::PathBuf};

use segue::{Code, ErrorObject};
use segue_control::{BindError, ClientError, ServeError};

/// Why the demo could not be carried out. What the clients lose is no error, but a figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory of the demo.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "writing".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The reactor could not be started.
    #[error("starting the reactor: {source}")]
    Reactor {
        /// The system's reason.
        source: io::Error,
    },
    /// The clients could not be started.
    #[error("starting the clients: {source}")]
    Load {
        /// The system's reason.
        source: io::Error,
    },
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] segue::Error),
    /// The application server.
    #[error(transparent)]
    Server(#[from] segue_serve::Error),
    /// The control socket could not be made.
    #[error(transparent)]
    Socket(#[from] BindError),
    /// The control socket could not be served.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// A command over the control socket.
    #[error(transparent)]
    Command(#[from] ClientError),
    /// The answer to a load names no module.
    #[error("the control socket's answer to a load names no module")]
    NothingLoaded,
    /// A file in the modules directory was refused.
    #[error("the file that was dropped in was refused: {}", error.message)]
    Refused {
        /// The runtime's words.
        error: Box<ErrorObject>,
    },
    /// Something that the runtime does by itself did not happen.
    #[error("{what} did not happen within {after_s} s")]
    Waited {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after_s: u64,
    },
    /// A part of the demo ended before its time.
    #[error("{part} panicked")]
    Panicked {
        /// Which part.
        part: &'static str,
    },
    /// The user does not want to see more.
    #[error("interrupted")]
    Interrupted,
}

// === impl Error ===

impl Error {
    /// The error as `--json` writes it.
    pub fn object(&self) -> ErrorObject {
        match self {
            Error::Runtime(error) => error.into(),
            Error::Command(error) => error.object(),
            Error::Refused { error } => (**error).clone(),
            _ => {
                let hint = match self {
                    Error::Io { .. } => {
                        Some("the demo works in the directory for temporary files: TMPDIR names another")
                    }
                    _ => None,
                };
                ErrorObject {
                    code: match self {
                        Error::Waited { .. } => Code::Deadline,
                        _ => Code::Internal,
                    },
                    step: None,
                    module: None,
                    message: self.to_string(),
                    hint: hint.map(str::to_owned),
                    members: Vec::new(),
                }
            }
        }
    }
}
