//! The signals that stop the server.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::ExitCode;

/// SIGTERM, which service managers send, and SIGINT, which a terminal sends.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    /// From now on, the signals no longer end the process.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Exits the process at the next signal: a second signal means that the user does not want to wait.
    pub(super) fn exit_at_next(mut self) {
        tokio::spawn(async move {
            self.first().await;
            tracing::warn!("stopped by a second signal; the requests that were inside are lost");
            process::exit(ExitCode::Internal as i32);
        });
    }
}
