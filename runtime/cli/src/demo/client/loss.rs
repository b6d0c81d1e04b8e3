//! The ways in which a request can be lost.

use std::{error::Error, fmt, io};

/// How a request was lost: everything but one right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection ended before the answer did; also a kept-alive one that the server closed between two requests.
    Eof,
    /// No whole answer in time.
    Timeout,
    /// Another status than 200.
    Status,
    /// An answer without a version, or whose text is not this version's answer to this request.
    WrongBody,
    /// An answer by a version of which it was acknowledged, before the request was sent, that it is replaced.
    RollbackSource,
    /// What came was no HTTP.
    Malformed,
    /// The client's own trouble, such as no free port: nothing is said about the server, and nothing was answered either.
    Client,
}

// === impl Loss ===

impl Loss {
    /// As in the figures: `wrong_body`.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Refused => "refused",
            Loss::Reset => "reset",
            Loss::Eof => "eof",
            Loss::Timeout => "timeout",
            Loss::Status => "status",
            Loss::WrongBody => "wrong_body",
            Loss::RollbackSource => "went_back",
            Loss::Malformed => "malformed",
            Loss::Client => "client",
        }
    }

    /// What the system said about a connection.
    pub(super) fn of_io(error: &io::Error) -> Self {
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

    /// What the HTTP library said about an exchange.
    pub(super) fn of_hyper(error: &hyper::Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return Loss::of_io(io);
            }
            source = cause.source();
        }
        if error.is_parse() {
            Loss::Malformed
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            // "Canceled": the connection was closed before the request could be sent.
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
