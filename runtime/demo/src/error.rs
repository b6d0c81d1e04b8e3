//! Why the demo could not run to its end.

use std::{io, path::PathBuf};

use segue::{Code, ErrorObject};
use segue_control::{BindError, ClientError, ServeError};

/// Why the demo could not run to its end. A lost request is a figure of the report, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory of the demo could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The failed action: "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The async runtime could not be started.
    #[error("cannot start the async runtime: {source}")]
    AsyncRuntime {
        /// The operating system's error.
        source: io::Error,
    },
    /// The clients could not be started.
    #[error("cannot start the clients: {source}")]
    Clients {
        /// The operating system's error.
        source: io::Error,
    },
    /// The runtime failed.
    #[error(transparent)]
    Runtime(#[from] segue::Error),
    /// The application server failed.
    #[error(transparent)]
    Server(#[from] segue_serve::Error),
    /// The control socket could not be opened.
    #[error(transparent)]
    Socket(#[from] BindError),
    /// The control socket could not be served.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// A command over the control socket failed.
    #[error(transparent)]
    Command(#[from] ClientError),
    /// The answer to a load names no module.
    #[error("the control socket answered a load without naming a module")]
    NothingLoaded,
    /// A file in the modules directory was refused.
    #[error("the runtime refused the file in the modules directory: {}", error.message)]
    Refused {
        /// The runtime's error.
        error: Box<ErrorObject>,
    },
    /// An expected step did not happen in time.
    #[error("timed out after {after_s} s waiting for {what}")]
    TimedOut {
        /// The expected step.
        what: &'static str,
        /// The limit, in seconds.
        after_s: u64,
    },
    /// A part of the demo panicked.
    #[error("{part} panicked")]
    Panicked {
        /// The name of the part.
        part: &'static str,
    },
    /// SIGINT or SIGTERM ended the demo.
    #[error("interrupted")]
    Interrupted,
}

// === impl Error ===

impl Error {
    /// The error, as `--json` writes it.
    pub fn object(&self) -> ErrorObject {
        match self {
            Error::Runtime(error) => return error.into(),
            Error::Command(error) => return error.object(),
            Error::Refused { error } => return (**error).clone(),
            _ => {}
        }
        let code = match self {
            Error::TimedOut { .. } => Code::Deadline,
            _ => Code::Internal,
        };
        let hint = match self {
            Error::Io { .. } => {
                Some("the demo uses the directory for temporary files; set TMPDIR to use another one")
            }
            _ => None,
        };
        ErrorObject {
            code,
            step: None,
            module: None,
            message: self.to_string(),
            hint: hint.map(str::to_owned),
            members: Vec::new(),
        }
    }
}
