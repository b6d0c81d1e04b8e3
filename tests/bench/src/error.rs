//! Why nothing was measured.

use std::{error::Error as _, io, time::Duration};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no place for the runtime's state.
    #[error("a temporary directory cannot be made")]
    TempDir {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The runtime, with the module in it, could not be started or ended.
    #[error("the runtime")]
    Runtime(#[from] segue::Error),
    /// A module that answers nothing had an error, so the figure of its calls means nothing.
    #[error("a call of a module failed")]
    Call,
    /// The system would not say what is open, mapped or resident, or a file could not be read or written.
    #[error("the process cannot be looked at")]
    Look {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The dynamic linker refused a file that the runtime had taken.
    #[error("the file cannot be opened with the dynamic linker alone")]
    Open {
        /// The linker's reason.
        #[source]
        source: segue_loader::OpenError,
    },
    /// The module's file has not the one section for its heap that it should have.
    #[error("the module's file has no section for its heap, or it makes no difference")]
    NoSection,
    /// Something was not as it must be.
    #[error("not as it must be: {}", broken.join("; "))]
    Broken {
        /// What, in words.
        broken: Vec<String>,
    },
    /// A version that leaves nothing behind on purpose did not leave.
    #[error("version {round} is still in memory after {} s: {}", waited.as_secs(), pins.join("; "))]
    Stays {
        /// Which one.
        round: u32,
        /// How long its purge took.
        waited: Duration,
        /// What keeps it.
        pins: Vec<String>,
    },
    /// The second thread could not be started.
    #[error("a thread cannot be started")]
    Spawn {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A thread that measured is gone: it panicked, and has said so.
    #[error("a thread that measured has panicked")]
    Panicked,
    /// The cell refused a publish, although there was no old occupant.
    #[error("the publisher was refused")]
    Refused(#[from] segue_core::ReserveError),
    /// The figures could not be written as JSON.
    #[error("the figures cannot be written as JSON")]
    Encode {
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// The figures could not be printed.
    #[error("the figures cannot be printed")]
    Print {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

// === impl Error ===

impl Error {
    /// The error and what caused it, in one line.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
