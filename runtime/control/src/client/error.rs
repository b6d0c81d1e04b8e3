//! Why the runtime could not be asked, or said no.

use std::{io, path::PathBuf, time::Duration};

use http::StatusCode;
use segue::{Code, ErrorObject};

/// Why the runtime could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers on the socket.
    #[error("no runtime answers on {}: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The connection broke before the answer was whole. Whether the runtime did what it was asked is not known.
    #[error("the connection to {} broke: {source}", path.display())]
    ConnectionLost {
        /// The socket.
        path: PathBuf,
        /// The reason.
        source: hyper::Error,
    },
    /// The runtime took the connection and did not answer.
    #[error("the runtime on {} did not answer within {} s", path.display(), after.as_secs_f64())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// How long it had.
        after: Duration,
    },
    /// The runtime said no.
    #[error("{}", error.message)]
    Refused {
        /// Its words.
        error: Box<ErrorObject>,
        /// The status that came with them.
        status: StatusCode,
    },
    /// The request cannot be written, or the answer is not understood: it is no runtime, or one of another release.
    #[error("what came from {} is not the control protocol: {what}", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
}

// === impl ClientError ===

impl ClientError {
    /// What kind of refusal this is.
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

    /// The error as the command's `--json` writes it; for a refusal, as the runtime wrote it.
    pub fn object(&self) -> ErrorObject {
        if let ClientError::Refused { error, .. } = self {
            return (**error).clone();
        }
        let hint = match (self, self.code()) {
            (_, Code::Denied) => {
                "the socket belongs to another user; run this as the user who runs `segue serve`"
            }
            (ClientError::Unreachable { .. }, _) => {
                "is `segue serve` running? another socket is named with --control PATH or SEGUE_CONTROL"
            }
            (ClientError::ConnectionLost { .. }, _) => {
                "whether it was done is told by `segue ls` and `segue history`, once the runtime is there again"
            }
            (ClientError::TimedOut { .. }, _) => "the log of `segue serve` may say what it is at",
            _ => "is it a segue runtime, and of the same release as this command?",
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
