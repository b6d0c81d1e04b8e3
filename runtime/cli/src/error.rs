//! Why a command failed.

use std::{io, path::PathBuf};

use segue::{Code, ErrorObject};
use segue_control::{BindError, ClientError, ServeError};

use crate::{
    ExitCode,
    commands::{new::NewError, serve::ConfigError},
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line is not valid.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// A valid form.
        hint: String,
    },
    /// The runtime could not be reached, or refused the request.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A runtime in this process, or the check of a file, refused.
    #[error(transparent)]
    Runtime(#[from] segue::Error),
    /// The settings of `segue serve` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control socket could not be served.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// The application server could not start, or did not stop cleanly.
    #[error(transparent)]
    Server(#[from] segue_serve::Error),
    /// The module crate was not written.
    #[error(transparent)]
    New(#[from] NewError),
    /// The demo could not run to its end.
    #[error(transparent)]
    Demo(#[from] segue_demo::Error),
    /// The runtime in the process of a probe refused the file.
    #[error("{}", object.message)]
    ProbeRefused {
        /// The runtime's error.
        object: Box<ErrorObject>,
    },
    /// The file does not exist.
    #[error("{}: no such file", path.display())]
    NoSuchFile {
        /// The file.
        path: PathBuf,
    },
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
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
    /// A task of the server panicked.
    #[error("a task of the server panicked: {source}")]
    Panicked {
        /// The panic.
        source: tokio::task::JoinError,
    },
    /// Standard output could not be written to.
    #[error("cannot write to standard output: {source}")]
    Output {
        /// The operating system's error.
        source: io::Error,
    },
}

// === impl Error ===

impl Error {
    /// Converts an error of clap. Its first paragraph is the message; the others show a valid form.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
        let message = paragraphs.next().map_or("", |first| first.strip_prefix("error: ").unwrap_or(first));
        let hints = paragraphs.map(|paragraph| paragraph.strip_prefix("tip: ").unwrap_or(paragraph));
        let hint = hints.collect::<Vec<_>>().join("\n");
        Error::Usage { message: message.to_owned(), hint }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        // A reader that closes the pipe, as `head` does, has what it wants. SIGPIPE ends other programs
        // without an error too.
        if self.is_broken_pipe() { ExitCode::Done } else { self.code().into() }
    }

    /// The error as `--json` writes it.
    pub fn object(&self) -> ErrorObject {
        match self {
            Error::Client(error) => error.object(),
            Error::Runtime(error) => ErrorObject::from(error),
            Error::Demo(error) => error.object(),
            Error::ProbeRefused { object } => ErrorObject::clone(object),
            _ => ErrorObject {
                code: self.code(),
                step: None,
                module: None,
                message: self.to_string(),
                hint: self.hint().map(str::to_owned),
                members: Vec::new(),
            },
        }
    }

    /// Whether the reader of standard output has closed it.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    fn code(&self) -> Code {
        match self {
            Error::Usage { .. } => Code::BadRequest,
            Error::Client(error) => error.code(),
            Error::Runtime(error) => error.code(),
            Error::Config(error) => error.code(),
            Error::Bind(BindError::InUse { .. } | BindError::DirectoryLocked { .. }) => Code::Busy,
            Error::Bind(BindError::NotASocket { .. }) => Code::BadRequest,
            Error::Server(segue_serve::Error::Listen { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse =>
            {
                Code::Busy
            }
            // Not an address, or not an address of this machine.
            Error::Server(segue_serve::Error::Listen { source, .. })
                if matches!(source.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::AddrNotAvailable) =>
            {
                Code::BadRequest
            }
            Error::Server(segue_serve::Error::Listen { source, .. }) if is_denied(source) => Code::Denied,
            Error::Bind(BindError::Io { source, .. }) if is_denied(source) => Code::Denied,
            Error::Server(segue_serve::Error::DuplicateRoute { .. }) => Code::BadRequest,
            Error::Server(segue_serve::Error::Drain { .. }) => Code::Deadline,
            Error::New(error) => error.code(),
            Error::Demo(error) => error.object().code,
            Error::ProbeRefused { object } => object.code,
            Error::NoSuchFile { .. } => Code::NotFound,
            Error::File { .. } => Code::BadFile,
            Error::Bind(_)
            | Error::Control(_)
            | Error::Server(_)
            | Error::AsyncRuntime { .. }
            | Error::Panicked { .. }
            | Error::Output { .. } => Code::Internal,
        }
    }

    fn hint(&self) -> Option<&str> {
        match self {
            Error::Usage { hint, .. } => Some(hint),
            Error::Config(error) => error.hint(),
            Error::Bind(BindError::InUse { .. }) => {
                Some("stop the other runtime, or use another socket with --control PATH")
            }
            Error::Bind(BindError::NotASocket { .. }) => Some("use another path with --control PATH"),
            Error::Bind(BindError::DirectoryLocked { .. }) => {
                Some("try again, or use another path with --control PATH")
            }
            Error::Bind(BindError::Io { .. }) => Some(
                "use --control PATH: in a directory that exists and is writable, and at most 107 bytes long",
            ),
            Error::Server(segue_serve::Error::Listen { .. }) => {
                Some("use another address with --listen ADDR; port 0 picks a free port")
            }
            Error::Server(segue_serve::Error::Drain { .. }) => {
                Some("`segue status` shows the calls that are inside while the server drains")
            }
            Error::New(error) => error.hint(),
            Error::NoSuchFile { .. } => Some("cargo puts a module at target/release/lib<name>.so"),
            _ => None,
        }
    }
}

fn is_denied(source: &io::Error) -> bool {
    source.kind() == io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_not_an_error() {
        let closed = Error::Output { source: io::ErrorKind::BrokenPipe.into() };
        assert_eq!(closed.exit_code(), ExitCode::Done);
        let full = Error::Output { source: io::ErrorKind::StorageFull.into() };
        assert_eq!(full.exit_code(), ExitCode::Internal);
    }

    #[test]
    fn an_invalid_command_line_has_a_hint() {
        use clap::Parser;
        let clap = crate::Cli::try_parse_from(["segue", "lode", "x.so"]).unwrap_err();
        let error = Error::usage(&clap);
        assert_eq!(error.to_string(), "unrecognized subcommand 'lode'");
        assert!(error.object().hint.unwrap().contains("Usage: segue"), "{clap}");
        assert_eq!(error.exit_code(), ExitCode::Usage);
        let clap = crate::Cli::try_parse_from(["segue", "load"]).unwrap_err();
        assert!(Error::usage(&clap).to_string().contains("<FILE>"), "{clap}");
    }

    #[test]
    fn a_refusal_keeps_the_error_object_of_the_runtime() {
        let refusal = segue::Error::NothingToRollBack { module: "greeter".to_owned() };
        let expected = ErrorObject::from(&refusal);
        let client =
            ClientError::Refused { error: Box::new(expected.clone()), status: http::StatusCode::CONFLICT };
        assert_eq!(Error::from(client).object(), expected);
        assert_eq!(Error::from(refusal).exit_code(), ExitCode::Refused);
    }

    #[test]
    fn an_unreachable_runtime_has_a_hint() {
        let source = io::ErrorKind::NotFound.into();
        let error = Error::from(ClientError::Unreachable { path: "segue.sock".into(), source });
        assert_eq!(error.exit_code(), ExitCode::Unreachable);
        assert!(error.object().hint.unwrap().contains("segue serve"));
    }
}
