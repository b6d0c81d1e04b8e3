//! The kinds of loss.

use std::{error::Error, fmt, io};

/// How a request was lost. Everything except exactly one right answer is a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection ended before the answer did, or the server closed a kept connection between two
    /// requests.
    Eof,
    /// There was no complete answer in time.
    Timeout,
    /// The answer had another status than 200.
    Status,
    /// The answer had no version, or its text is not this version's answer to this request.
    WrongBody,
    /// The answer came from a version whose replacement was acknowledged before the request was sent.
    WentBack,
    /// The answer was not HTTP.
    Malformed,
    /// The client itself failed, for example because no port was free. The server is not at fault.
    Client,
}

// === impl Loss ===

impl Loss {
    /// The name in the report: `wrong_body`.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Refused => "refused",
            Loss::Reset => "reset",
            Loss::Eof => "eof",
            Loss::Timeout => "timeout",
            Loss::Status => "status",
            Loss::WrongBody => "wrong_body",
            Loss::WentBack => "went_back",
            Loss::Malformed => "malformed",
            Loss::Client => "client",
        }
    }

    /// The loss behind a system error.
    pub(super) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Loss::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Loss::Reset
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => Loss::Eof,
            io::ErrorKind::TimedOut => Loss::Timeout,
            _ => Loss::Client,
        }
    }

    /// The loss behind an error of the HTTP library.
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return Loss::from_io(io);
            }
            source = cause.source();
        }
        if error.is_parse() {
            Loss::Malformed
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            // Canceled: the connection was closed before the request could be sent.
            Loss::Eof
        } else {
            Loss::Client
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
