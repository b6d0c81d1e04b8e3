//! The server: accepts connections, hands each request to its route, and ends in good order.

mod about;
mod api_error;
mod blocked;
mod event_bridge;
mod events;
mod extract;
mod history;
mod images;
mod load;
mod metrics;
mod modules;
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

use crate::{Limits, Socket};
use request_context::Peer;
use state::State;

/// The description of everything that the socket answers, as OpenAPI 3.1 in JSON.
pub const OPENAPI: &str = include_str!("openapi.json");

/// How long to wait after `accept` failed: it mostly means that the process has no file descriptor left, and nothing but
/// the end of other connections helps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The least that hyper takes as a buffer's size, in bytes.
const MIN_BUFFER_BYTES: usize = 8192;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The reactor did not take the listener.
    #[error("registering the control socket with the reactor: {source}")]
    Register {
        /// The system's reason.
        source: io::Error,
    },
    /// The thread that carries events over could not be started.
    #[error("starting the thread that carries events over: {source}")]
    Thread {
        /// The system's reason.
        source: io::Error,
    },
}

/// Answers on the socket until `shutdown` is ready; then takes the socket's file away, lets the requests that are being
/// answered finish, for [`Limits::grace`] at most, ends the event streams, and returns.
///
/// A command that the runtime has begun goes on even where its client has left.
///
/// # Errors
///
/// Only where it cannot start. A connection that fails is logged, and concerns nobody else.
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
                connections.begin(stream, permit, service.clone());
            }
            Some(_) = connections.tasks.join_next() => {}
        }
    }
    drop(file);
    drop(listener);
    // The streams end, and so become connections that have nothing more to do.
    closing.send_replace(true);
    connections.finish(grace).await;
    Ok(())
}

/// The next connection, once there is room for one.
async fn next(listener: &UnixListener, permits: &Arc<Semaphore>) -> (UnixStream, OwnedSemaphorePermit) {
    let permit = permits.clone().acquire_owned().await.expect("this semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "the control socket could not accept a connection");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The connections that are open.
struct Connections {
    http: http1::Builder,
    permits: Arc<Semaphore>,
    graceful: GracefulShutdown,
    /// Owns the tasks: none outlives the server.
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

    fn begin(
        &mut self,
        stream: UnixStream,
        permit: OwnedSemaphorePermit,
        service: TowerToHyperService<axum::Router>,
    ) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "a connection of the control socket was closed: nobody can say whose it is");
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
            tracing::warn!(?grace, "requests on the control socket were cut off");
        }
        self.tasks.shutdown().await;
    }
}
