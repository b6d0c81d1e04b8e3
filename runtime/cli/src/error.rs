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
    /// The command line makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// What it should look like.
        hint: String,
    },
    /// The runtime could not be asked, or said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A runtime in this process said no, or the reader of files.
    #[error(transparent)]
    Runtime(#[from] segue::Error),
    /// The configuration of `segue serve` makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control socket could not be served.
    #[error(transparent)]
    Control(#[from] ServeError),
    /// The application server could not begin, or did not end as it should.
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
    Probed {
        /// Its words.
        object: Box<ErrorObject>,
    },
    /// There is no such file.
    #[error("{}: there is no such file", path.display())]
    NoSuchFile {
        /// The file.
        path: PathBuf,
    },
    /// The file's path cannot be found out.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
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
    /// A part of the server broke.
    #[error("a part of the server broke: {source}")]
    Broken {
        /// Its panic.
        source: tokio::task::JoinError,
    },
    /// Standard output could not be written to.
    #[error("writing to standard output: {source}")]
    Output {
        /// The system's reason.
        source: io::Error,
    },
}

// === impl Error ===

impl Error {
    /// What clap says: the first paragraph is what is wrong, and the others are what it should look like.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
        let message = paragraphs.next().map_or("", |first| first.strip_prefix("error: ").unwrap_or(first));
        let hints = paragraphs.map(|paragraph| paragraph.strip_prefix("tip: ").unwrap_or(paragraph));
        let hint = hints.collect::<Vec<_>>().join("\n");
        Error::Usage { message: message.to_owned(), hint }
    }

    /// The exit code that says so.
    pub fn exit_code(&self) -> ExitCode {
        // As of a pipeline's other programs, which a signal ends: whoever stops reading has what he wants.
        if self.is_broken_pipe() { ExitCode::Done } else { self.code().into() }
    }

    /// The error as `--json` writes it.
    pub fn object(&self) -> ErrorObject {
        match self {
            Error::Client(error) => error.object(),
            Error::Runtime(error) => ErrorObject::from(error),
            Error::Demo(error) => error.object(),
            Error::Probed { object } => ErrorObject::clone(object),
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

    /// Whether the reader of standard output left.
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
            // What is no address, or none of this machine.
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
            Error::Probed { object } => object.code,
            Error::NoSuchFile { .. } => Code::NotFound,
            Error::File { .. } => Code::BadFile,
            Error::Bind(_)
            | Error::Control(_)
            | Error::Server(_)
            | Error::Reactor { .. }
            | Error::Broken { .. }
            | Error::Output { .. } => Code::Internal,
        }
    }

    fn hint(&self) -> Option<&str> {
        match self {
            Error::Usage { hint, .. } => Some(hint),
            Error::Config(error) => error.hint(),
            Error::Bind(BindError::InUse { .. }) => {
                Some("end the other runtime, or give this one another socket with --control PATH")
            }
            Error::Bind(BindError::NotASocket { .. }) => Some("name another place with --control PATH"),
            Error::Bind(BindError::DirectoryLocked { .. }) => {
                Some("try again, or name another place with --control PATH")
            }
            Error::Bind(BindError::Io { .. }) => Some(
                "the directory must exist and be writable, and the path be shorter than 108 bytes: --control PATH",
            ),
            Error::Server(segue_serve::Error::Listen { .. }) => {
                Some("name another address with --listen ADDR; port 0 takes any that is free")
            }
            Error::Server(segue_serve::Error::Drain { .. }) => {
                Some("`segue status` shows who is inside, while it is served")
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
    fn whoever_stops_reading_is_not_told_of_an_error() {
        let left = Error::Output { source: io::ErrorKind::BrokenPipe.into() };
        assert_eq!(left.exit_code(), ExitCode::Done);
        let full = Error::Output { source: io::ErrorKind::StorageFull.into() };
        assert_eq!(full.exit_code(), ExitCode::Internal);
    }

    #[test]
    fn a_command_line_that_makes_no_sense_is_told_with_what_would() {
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
    fn a_refusal_is_told_in_the_runtimes_own_words() {
        let refusal = segue::Error::NothingToRollBack { module: "greeter".to_owned() };
        let theirs = ErrorObject::from(&refusal);
        let client =
            ClientError::Refused { error: Box::new(theirs.clone()), status: http::StatusCode::CONFLICT };
        assert_eq!(Error::from(client).object(), theirs);
        assert_eq!(Error::from(refusal).exit_code(), ExitCode::Refused);
    }

    #[test]
    fn nobody_there_is_told_with_a_hint() {
        let source = io::ErrorKind::NotFound.into();
        let error = Error::from(ClientError::Unreachable { path: "segue.sock".into(), source });
        assert_eq!(error.exit_code(), ExitCode::Unreachable);
        assert!(error.object().hint.unwrap().contains("segue serve"));
    }
}
