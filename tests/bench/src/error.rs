//! The errors of the benchmark driver.

use std::{error::Error as _, io, time::Duration};

/// Why a command measured nothing, or found a violation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no directory for the runtime's state.
    #[error("cannot create a temporary directory")]
    TempDir {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The runtime failed to start, to load the module, or to stop.
    #[error("the runtime failed")]
    Runtime(#[from] segue::Error),
    /// A call failed, so its figure would mean nothing.
    #[error("a call to a module failed")]
    Call,
    /// A file in `/proc` or of a module could not be read or written.
    #[error("cannot read the state of this process, or a file of a module")]
    Inspect {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The dynamic linker refused a file that the runtime had loaded.
    #[error("the dynamic linker cannot open the file without the runtime")]
    Open {
        /// The linker's reason.
        #[source]
        source: segue_loader::OpenError,
    },
    /// The module's file has no heap section, or a module without it has a heap anyway.
    #[error("the heap section of the module's file is missing or has no effect")]
    NoSection,
    /// The soak counted something that must not be.
    #[error("the soak failed: {}", violations.join("; "))]
    Violated {
        /// One sentence for each.
        violations: Vec<String>,
    },
    /// A version was not unloaded, although it left nothing behind on purpose.
    #[error("version {round} is still in memory after {} s: {}", waited.as_secs(), pins.join("; "))]
    Stays {
        /// Which load it was.
        round: u32,
        /// How long the purge waited.
        waited: Duration,
        /// What keeps it.
        pins: Vec<String>,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Spawn {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A measuring thread panicked and has printed its message.
    #[error("a measuring thread panicked")]
    Panicked,
    /// The cell refused a publish although it had no old occupant.
    #[error("the cell refused a publish")]
    Refused(#[from] segue_core::ReserveError),
    /// The figures could not be written as JSON.
    #[error("cannot write the figures as JSON")]
    Encode {
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// The figures could not be printed.
    #[error("cannot print the figures")]
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
