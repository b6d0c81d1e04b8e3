//! What every handler may use.

use std::sync::Arc;

use segue::{RequestContext, Runtime};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task,
};

use super::{news::News, refusal::Refusal};
use crate::Limits;

/// What every handler may use: the runtime, the limits, and what counts against them.
#[derive(Clone)]
pub(super) struct State {
    runtime: Runtime,
    pub(super) limits: Arc<Limits>,
    /// Rings for each new event.
    pub(super) news: watch::Receiver<News>,
    /// True once the server is to end.
    pub(super) closing: watch::Receiver<bool>,
    commands: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

// === impl State ===

impl State {
    pub(super) fn new(
        runtime: Runtime,
        limits: Limits,
        news: watch::Receiver<News>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        State {
            runtime,
            news,
            closing,
            commands: Arc::new(Semaphore::new(limits.commands_max)),
            uploads: Arc::new(Semaphore::new(limits.uploads_max)),
            followers: Arc::new(Semaphore::new(limits.followers_max)),
            limits: Arc::new(limits),
        }
    }

    /// Looks at the runtime, beside the reactor. It is not counted: one can look while all commands wait.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Runtime) -> Result<T, segue::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let runtime = self.runtime.clone();
        task::spawn_blocking(move || look(&runtime)).await.map_err(Refusal::broken)?.map_err(Refusal::from)
    }

    /// Has the runtime do something for somebody, beside the reactor. It goes on where the client leaves.
    pub(super) async fn command<T: Send + 'static>(
        &self,
        asked: RequestContext,
        command: impl FnOnce(&Runtime) -> Result<T, segue::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = take(&self.commands, "commands")?;
        self.look(move |runtime| {
            let _permit = permit;
            command(&runtime.on_behalf_of(asked))
        })
        .await
    }

    /// The right to put an image.
    pub(super) fn upload(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.uploads, "uploads")
    }

    /// The right to read events.
    pub(super) fn follow(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        take(&self.followers, "readers of events")
    }
}

fn take(semaphore: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Refusal> {
    semaphore.clone().try_acquire_owned().map_err(|_| Refusal::busy(what))
}
