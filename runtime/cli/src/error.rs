//! Why a command failed.

use std::{io, path::PathBuf};

use segue::{Code, ErrorObject};
use segue_control::{BindError, ClientError, ServeError};

use crate::{exit_code::ExitCode, module_crate::error::NewError, settings::ConfigError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The command line is invalid.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// A valid one.
        hint: String,
    },
    /// The runtime could not be reached, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A runtime in this process refused, or a file could not be read.
    #[error(transparent)]
    Runtime(#[from] segue::Error),
    /// The settings of `segue serve` are invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control socket could not be served.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// The application server did not start, or did not stop cleanly.
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
    /// There is no such file.
    #[error("{}: no such file", path.display())]
    NoSuchFile {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The async runtime could not be started.
    #[error("cannot start the async runtime: {source}")]
    AsyncRuntime {
        /// The system's reason.
        source: io::Error,
    },
    /// A task of the server panicked.
    #[error("a task of the server panicked: {source}")]
    Panicked {
        /// The panic.
        source: tokio::task::JoinError,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output: {source}")]
    Output {
        /// The system's reason.
        source: io::Error,
    },
}

// === impl Error ===

impl Error {
    /// An error of clap. Its first paragraph is the message, and the others are the hint.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
        let message = paragraphs.next().map_or("", |first| first.strip_prefix("error: ").unwrap_or(first));
        let hints = paragraphs.map(|paragraph| paragraph.strip_prefix("tip: ").unwrap_or(paragraph));
        let hint = hints.collect::<Vec<_>>().join("\n");
        Error::Usage { message: message.to_owned(), hint }
    }

    /// The exit code of the error.
    pub(crate) fn exit_code(&self) -> ExitCode {
        // A reader that closes the pipe has what it wants. Other programs of a pipeline end by SIGPIPE then.
        if self.is_broken_pipe() { ExitCode::Done } else { self.code().into() }
    }

    /// The error, as `--json` writes it.
    pub(crate) fn object(&self) -> ErrorObject {
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

    /// Whether the reader of standard output has closed the pipe.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    fn code(&self) -> Code {
        match self {
            Error::Usage { .. } => Code::BadRequest,
            Error::Client(error) => error.code(),
            Error::Runtime(error) => error.code(),
            Error::Config(error) => error.code(),
            Error::Bind(error) => bind_code(error),
            Error::Server(segue_serve::Error::Listen { source, .. }) => listen_code(source),
            Error::Server(segue_serve::Error::DuplicateRoute { .. }) => Code::BadRequest,
            Error::Server(segue_serve::Error::Drain { .. }) => Code::Deadline,
            Error::New(error) => error.code(),
            Error::Demo(error) => error.object().code,
            Error::ProbeRefused { object } => object.code,
            Error::NoSuchFile { .. } => Code::NotFound,
            Error::File { .. } => Code::BadFile,
            Error::Control(_)
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
                Some("stop the other runtime, or choose another socket with --control PATH")
            }
            Error::Bind(BindError::NotASocket { .. }) => Some("choose another path with --control PATH"),
            Error::Bind(BindError::DirectoryLocked { .. }) => {
                Some("try again, or choose another path with --control PATH")
            }
            Error::Bind(BindError::Io { .. }) => Some(
                "choose another path with --control PATH, of at most 107 bytes, in a directory that exists and is writable",
            ),
            Error::Server(segue_serve::Error::Listen { .. }) => {
                Some("choose another address with --listen ADDR; port 0 takes a free port")
            }
            Error::Server(segue_serve::Error::Drain { .. }) => {
                Some("while it serves, `segue status` shows the calls inside")
            }
            Error::New(error) => error.hint(),
            Error::NoSuchFile { .. } => Some("cargo writes a module to target/release/lib<name>.so"),
            _ => None,
        }
    }
}

fn bind_code(error: &BindError) -> Code {
    match error {
        BindError::InUse { .. } | BindError::DirectoryLocked { .. } => Code::Busy,
        BindError::NotASocket { .. } => Code::BadRequest,
        BindError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Code::Denied,
        _ => Code::Internal,
    }
}

fn listen_code(source: &io::Error) -> Code {
    match source.kind() {
        io::ErrorKind::AddrInUse => Code::Busy,
        // Not an address, or not one of this machine.
        io::ErrorKind::InvalidInput | io::ErrorKind::AddrNotAvailable => Code::BadRequest,
        io::ErrorKind::PermissionDenied => Code::Denied,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_error() {
        let closed = Error::Output { source: io::ErrorKind::BrokenPipe.into() };
        assert_eq!(closed.exit_code(), ExitCode::Done);
        let full = Error::Output { source: io::ErrorKind::StorageFull.into() };
        assert_eq!(full.exit_code(), ExitCode::Internal);
    }

    #[test]
    fn an_invalid_command_line_has_a_hint() {
        use clap::Parser;
        let clap = crate::cli::Cli::try_parse_from(["segue", "lode", "x.so"]).unwrap_err();
        let error = Error::usage(&clap);
        assert_eq!(error.to_string(), "unrecognized subcommand 'lode'");
        assert!(error.object().hint.unwrap().contains("Usage: segue"), "{clap}");
        assert_eq!(error.exit_code(), ExitCode::Usage);
        let clap = crate::cli::Cli::try_parse_from(["segue", "load"]).unwrap_err();
        assert!(Error::usage(&clap).to_string().contains("<FILE>"), "{clap}");
    }

    #[test]
    fn a_refusal_keeps_the_runtimes_words() {
        let refusal = segue::Error::NothingToRollBack { module: "greeter".to_owned() };
        let object = ErrorObject::from(&refusal);
        let client =
            ClientError::Refused { error: Box::new(object.clone()), status: http::StatusCode::CONFLICT };
        assert_eq!(Error::from(client).object(), object);
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
