//! Why a request failed.

use std::{io, path::PathBuf, time::Duration};

use http::StatusCode;
use segue::{Code, ErrorObject};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The client cannot connect to the socket.
    #[error("cannot connect to a runtime on {}: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The connection broke before the response was complete. The runtime may have run the command.
    #[error("lost the connection to the runtime on {}: {source}", path.display())]
    ConnectionLost {
        /// The socket.
        path: PathBuf,
        /// Why it broke.
        source: hyper::Error,
    },
    /// The runtime accepted the connection but did not respond in time.
    #[error("timed out after {} s waiting for the runtime on {}", after.as_secs_f64(), path.display())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// How long the client waited.
        after: Duration,
    },
    /// The runtime refused the request.
    #[error("{}", error.message)]
    Refused {
        /// The error object in the response.
        error: Box<ErrorObject>,
        /// The HTTP status of the response.
        status: StatusCode,
    },
    /// The request cannot be built, or the response cannot be parsed. The process on the socket may not be a
    /// runtime, or it may be another release.
    #[error("protocol error on {}: {reason}", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

// === impl ClientError ===

impl ClientError {
    /// The error code.
    pub fn code(&self) -> Code {
        match self {
            ClientError::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Code::Denied
            }
            ClientError::Unreachable { .. }
            | ClientError::ConnectionLost { .. }
            | ClientError::TimedOut { .. } => Code::Unreachable,
            ClientError::Refused { error, .. } => error.code,
            ClientError::Protocol { .. } => Code::Internal,
        }
    }

    /// The error object, as the command line's `--json` prints it. For [`Refused`](ClientError::Refused) it
    /// is the runtime's own.
    pub fn object(&self) -> ErrorObject {
        if let ClientError::Refused { error, .. } = self {
            return (**error).clone();
        }
        let hint = match (self, self.code()) {
            (_, Code::Denied) => {
                "the socket belongs to another user; run the command as the user of `segue serve`"
            }
            (ClientError::Unreachable { .. }, _) => {
                "start `segue serve`, or name its socket with --control PATH or SEGUE_CONTROL"
            }
            (ClientError::ConnectionLost { .. }, _) => {
                "the command may have run; check with `segue ls` and `segue history` when the runtime is back"
            }
            (ClientError::TimedOut { .. }, _) => "check the log of `segue serve` for what it is doing",
            _ => "check that the socket belongs to a segue runtime of the same release as this command",
        };
        ErrorObject {
            code: self.code(),
            step: None,
            module: None,
            message: self.to_string(),
            hint: Some(hint.to_owned()),
            members: Vec::new(),
        }
    }
}
