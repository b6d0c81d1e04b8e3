//! What every handler may use.

use std::sync::Arc;

use segue::{RequestContext, Runtime};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task,
};

use super::{api_error::ApiError, event_bridge::EventSignal};
use crate::Limits;

/// What every handler may use: the runtime, the limits, and what counts against them.
#[derive(Clone)]
pub(super) struct State {
    runtime: Runtime,
    pub(super) limits: Arc<Limits>,
    /// Rings for each new event.
    pub(super) event_signal: watch::Receiver<EventSignal>,
    /// True once the server is to end.
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

    /// Looks at the runtime, beside the reactor. It is not counted: one can look while all commands wait.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Runtime) -> Result<T, segue::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let runtime = self.runtime.clone();
        task::spawn_blocking(move || look(&runtime))
            .await
            .map_err(ApiError::panicked)?
            .map_err(ApiError::from)
    }

    /// Has the runtime do something for somebody, beside the reactor. It goes on where the client leaves.
    pub(super) async fn command<T: Send + 'static>(
        &self,
        context: RequestContext,
        command: impl FnOnce(&Runtime) -> Result<T, segue::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = take(&self.commands, "commands")?;
        self.query(move |runtime| {
            let _permit = permit;
            command(&runtime.on_behalf_of(context))
        })
        .await
    }

    /// The right to put an image.
    pub(super) fn upload_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        take(&self.uploads, "uploads")
    }

    /// The right to read events.
    pub(super) fn event_stream_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        take(&self.event_streams, "readers of events")
    }
}

fn take(semaphore: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, ApiError> {
    semaphore.clone().try_acquire_owned().map_err(|_| ApiError::busy(what))
}
