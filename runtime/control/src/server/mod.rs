//! The server: accepts connections, routes each request, and shuts down cleanly. A line belongs here if it
//! reads a request or writes a response: one file per route, and what the routes share. Never use `client`
//! here, and never decide anything: that is the runtime's part.

mod api_error;
mod blocked;
mod event_bridge;
mod events;
mod extract;
mod health;
mod history;
mod images;
mod load;
mod metrics;
mod modules;
mod openapi;
mod request_context;
mod routes;
mod state;

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use segue::Runtime;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time,
};

use crate::{
    Limits, Socket,
    server::{request_context::Peer, state::State},
};

pub use openapi::OPENAPI;

/// How long to wait after `accept` failed. The usual cause is that no file descriptor is free, so the server
/// must wait until other connections close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The smallest buffer size that hyper accepts, in bytes.
const MIN_BUFFER_BYTES: usize = 8192;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The listener could not be registered with the reactor.
    #[error("cannot register the control socket with the reactor: {source}")]
    Register {
        /// The operating system's error.
        source: io::Error,
    },
    /// The thread that signals new events could not be started.
    #[error("cannot start the thread that signals new events to the control socket: {source}")]
    Thread {
        /// The operating system's error.
        source: io::Error,
    },
}

/// Serves the socket until `shutdown` is ready. Then it removes the socket file, ends the event streams,
/// waits for running requests for at most [`Limits::shutdown_grace`], and returns.
///
/// A command that the runtime has started continues if its client disconnects.
///
/// # Errors
///
/// Only if the server cannot start. A failed connection is logged and affects no other.
pub async fn serve(
    runtime: Runtime,
    socket: Socket,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (file, listener) = socket.into_parts();
    let listener = UnixListener::from_std(listener).map_err(|source| ServeError::Register { source })?;
    let (closing, closed) = watch::channel(false);
    let event_signal =
        event_bridge::start(runtime.events()).map_err(|source| ServeError::Thread { source })?;
    let grace = limits.shutdown_grace;
    let mut connections = Connections::new(&limits);
    let service = TowerToHyperService::new(routes::router(State::new(runtime, limits, event_signal, closed)));

    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, permit) = next(&listener, &connections.permits) => {
                connections.spawn(stream, permit, service.clone());
            }
            Some(_) = connections.tasks.join_next() => {}
        }
    }
    drop(file);
    drop(listener);
    // Ends the event streams: otherwise they would stay open until the grace period is over.
    closing.send_replace(true);
    connections.finish(grace).await;
    Ok(())
}

/// Accepts the next connection once fewer than [`Limits::connections_max`] are open.
async fn next(listener: &UnixListener, permits: &Arc<Semaphore>) -> (UnixStream, OwnedSemaphorePermit) {
    let permit = permits.clone().acquire_owned().await.expect("this semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection on the control socket; trying again");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The open connections.
struct Connections {
    http: http1::Builder,
    permits: Arc<Semaphore>,
    graceful: GracefulShutdown,
    /// One task per connection. Dropping the set ends them with the server.
    tasks: JoinSet<()>,
}

// === impl Connections ===

impl Connections {
    fn new(limits: &Limits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_read_timeout)
            .max_buf_size(limits.head_bytes_max.max(MIN_BUFFER_BYTES));
        Connections {
            http,
            permits: Arc::new(Semaphore::new(limits.connections_max)),
            graceful: GracefulShutdown::new(),
            tasks: JoinSet::new(),
        }
    }

    fn spawn(
        &mut self,
        stream: UnixStream,
        permit: OwnedSemaphorePermit,
        service: TowerToHyperService<axum::Router>,
    ) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "closed a connection: cannot read its peer credentials");
                return;
            }
        };
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            service.call(request)
        });
        let connection = self.graceful.watch(self.http.serve_connection(TokioIo::new(stream), service));
        self.tasks.spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the control socket failed");
            }
        });
    }

    async fn finish(mut self, grace: Duration) {
        if time::timeout(grace, self.graceful.shutdown()).await.is_err() {
            tracing::warn!(?grace, "aborted the requests that still ran on the control socket");
        }
        self.tasks.shutdown().await;
    }
}
