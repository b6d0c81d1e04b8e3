//! The signals that the server handles.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::ExitCode;

/// The signals that stop the server.
pub(super) struct Signals {
    /// Service managers send it.
    terminate: Signal,
    /// A terminal sends it for Ctrl-C.
    interrupt: Signal,
    /// A terminal sends it for Ctrl-\, and some service managers for a clean stop.
    quit: Signal,
}

// === impl Signals ===

impl Signals {
    /// From now on, no signal ends the process that is sent to services: neither these, nor SIGHUP, SIGUSR1
    /// and SIGUSR2, whose default action would cut the requests that are inside.
    pub(super) fn listen() -> io::Result<Self> {
        ignore(SignalKind::hangup(), "SIGHUP")?;
        ignore(SignalKind::user_defined1(), "SIGUSR1")?;
        ignore(SignalKind::user_defined2(), "SIGUSR2")?;
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
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

/// Logs each such signal. Modules that handle it get it too.
fn ignore(kind: SignalKind, name: &'static str) -> io::Result<()> {
    let mut signals = signal(kind)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            tracing::info!("{name} is ignored");
        }
    });
    Ok(())
}
