//! The state that all handlers share.

use std::sync::Arc;

use segue::{RequestContext, Runtime};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task,
};

use crate::{
    Limits,
    server::{api_error::ApiError, event_bridge::EventSignal},
};

/// The state that all handlers share: the runtime, the limits, and the semaphores that enforce them.
#[derive(Clone)]
pub(super) struct State {
    runtime: Runtime,
    pub(super) limits: Arc<Limits>,
    /// Changes with each new event.
    pub(super) event_signal: watch::Receiver<EventSignal>,
    /// True once the server shuts down.
    pub(super) closing: watch::Receiver<bool>,
    commands: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    event_streams: Arc<Semaphore>,
}

// === impl State ===

impl State {
    pub(super) fn new(
        runtime: Runtime,
        limits: Limits,
        event_signal: watch::Receiver<EventSignal>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        State {
            runtime,
            event_signal,
            closing,
            commands: Arc::new(Semaphore::new(limits.commands_max)),
            uploads: Arc::new(Semaphore::new(limits.uploads_max)),
            event_streams: Arc::new(Semaphore::new(limits.event_streams_max)),
            limits: Arc::new(limits),
        }
    }

    /// Reads from the runtime, on a thread outside the reactor. Queries have no limit, so they work while all
    /// commands wait.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Runtime) -> Result<T, segue::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let runtime = self.runtime.clone();
        task::spawn_blocking(move || query(&runtime))
            .await
            .map_err(ApiError::panicked)?
            .map_err(ApiError::from)
    }

    /// Runs a command in the runtime, on a thread outside the reactor. The command continues if the client
    /// disconnects.
    pub(super) async fn command<T: Send + 'static>(
        &self,
        context: RequestContext,
        command: impl FnOnce(&Runtime) -> Result<T, segue::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = acquire(&self.commands, "commands")?;
        self.query(move |runtime| {
            let _permit = permit;
            command(&runtime.on_behalf_of(context))
        })
        .await
    }

    /// Counts an upload until the permit is dropped.
    pub(super) fn upload_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.uploads, "uploads")
    }

    /// Counts an event stream until the permit is dropped.
    pub(super) fn event_stream_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.event_streams, "event streams")
    }
}

fn acquire(semaphore: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, ApiError> {
    semaphore.clone().try_acquire_owned().map_err(|_| ApiError::busy(what))
}
