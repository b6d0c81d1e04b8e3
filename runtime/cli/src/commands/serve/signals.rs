//! The signals that stop the server.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ExitCode;

/// Receives SIGTERM, which service managers send, and SIGINT, which a terminal sends.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    /// Starts to receive the signals. From now on they no longer end the process by default.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Makes the next signal end the process at once: a user who sends a second one does not want to wait.
    pub(super) fn exit_on_next(mut self) {
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("stopped by a second signal; requests in progress are lost");
            process::exit(ExitCode::Internal as i32);
        });
    }
}
