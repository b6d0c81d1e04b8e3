//! The signals that end the server.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ExitCode;

/// SIGTERM, as service managers send it, and SIGINT, as a terminal does.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    /// From now on the signals do not end the process by themselves.
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

    /// Whoever asks again does not want to wait: the next signal ends the process at once.
    pub(super) fn end_at_the_next(mut self) {
        tokio::spawn(async move {
            self.first().await;
            tracing::warn!("ended by a second signal; what was inside is lost");
            process::exit(ExitCode::Internal as i32);
        });
    }
}
