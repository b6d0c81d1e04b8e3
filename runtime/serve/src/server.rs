//! The server: accepts connections until it is stopped, and then drains them.

use std::{fmt::Display, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use segue::Runtime;
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    Config, Error, Route,
    connection::{ConnectionServer, StopSignal},
    handler::{Handles, RequestHandler},
    pool::Pool,
    route::Routes,
    stats::{Count, Gauge, Stats},
};

/// How long to wait after `accept` failed, usually because no file descriptor is free. Without a pause the
/// loop would use a whole processor; with a longer one, clients would wait after the cause is gone.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The most connections that are accepted from the system's backlog when the server stops.
const BACKLOG_MAX: usize = 1024;
/// How long the pool's threads have to end, at least. Threads that are not inside a call need less.
const POOL_JOIN_MIN: Duration = Duration::from_millis(100);

/// Configures a [`Server`].
#[must_use = "a builder does nothing until it binds"]
pub struct Builder {
    runtime: Runtime,
    config: Config,
    routes: Vec<Route>,
}

/// A server that listens. It answers requests once it [runs](Server::run).
#[must_use = "a server does not answer until it runs"]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    runtime: Runtime,
    config: Config,
    routes: Routes,
    stats: Stats,
}

// === impl Builder ===

impl Builder {
    /// Replaces the default limits.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a route.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds routes.
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Listens on this address. Port 0 takes any free port. From now on clients can connect, but get no
    /// response until the server runs.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] if the address is invalid or in use. [`Error::DuplicateRoute`] if two routes have
    /// the same prefix.
    pub async fn bind(self, address: impl ToSocketAddrs + Display) -> Result<Server, Error> {
        let listener = TcpListener::bind(&address)
            .await
            .map_err(|source| Error::Listen { address: address.to_string(), source })?;
        self.listener(listener)
    }

    /// Serves an existing listener.
    ///
    /// # Errors
    ///
    /// [`Error::Listener`] if the listener has no address. [`Error::DuplicateRoute`] if two routes have the
    /// same prefix.
    pub fn listener(self, listener: TcpListener) -> Result<Server, Error> {
        let local_addr = listener.local_addr().map_err(|source| Error::Listener { source })?;
        let routes = Routes::new(self.routes)?;
        let Builder { runtime, config, .. } = self;
        Ok(Server { listener, local_addr, runtime, config, routes, stats: Stats::default() })
    }
}

// === impl Server ===

impl Server {
    /// A server for the modules of this runtime.
    pub fn builder(runtime: Runtime) -> Builder {
        Builder { runtime, config: Config::default(), routes: Vec::new() }
    }

    /// The address on which the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The server's counters. They can be read while it runs.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Serves until `shutdown` is ready, and then drains: it stops accepting, closes idle connections,
    /// finishes running and queued requests, and ends its threads.
    ///
    /// Dropping the future instead closes all connections at once. Calls inside modules continue until they
    /// return.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`] at once if the pool cannot be started. [`Error::Drain`] if the server has not
    /// drained before its [deadline](Config::drain_deadline).
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Server { listener, local_addr, runtime, config, routes, stats } = self;
        let (pool, jobs) = Pool::start(&runtime, &config, &stats)?;
        let connection_server = Arc::new(ConnectionServer::new(&config, stats.clone()));
        let (drain_deadline, slots) = (config.drain_deadline, Semaphore::new(config.connections_max.max(1)));
        let handles = Handles::default();
        let handler =
            Arc::new(RequestHandler { runtime, routes, config, stats: stats.clone(), handles, jobs });
        let (stop, stop_signal) = watch::channel(false);
        let stop_signal = StopSignal(stop_signal);
        let mut open = OpenConnections {
            connection_server,
            handler,
            stats: stats.clone(),
            stop_signal,
            tasks: JoinSet::new(),
        };
        tracing::info!(%local_addr, "accepting connections");

        open.accept(&listener, Arc::new(slots), shutdown).await;
        if let Err(error) = open.accept_backlog(listener) {
            tracing::warn!(%error, "cannot accept the clients in the backlog; their connections are reset");
        }
        tracing::info!(connections = open.tasks.len(), "no longer accepting connections");

        let deadline = Instant::now() + drain_deadline;
        stop.send_replace(true);
        let aborted = open.drain(deadline).await;
        // The connections held the senders of the queue, so the threads end as soon as it is empty.
        let time_left = deadline.saturating_duration_since(Instant::now()).max(POOL_JOIN_MIN);
        let joined = pool.join(time_left).await;
        if aborted == 0 && joined {
            return Ok(());
        }
        Err(Error::Drain { deadline: drain_deadline, connections: aborted, calls: stats.figures().busy })
    }
}

/// The open connections.
struct OpenConnections {
    connection_server: Arc<ConnectionServer>,
    handler: Arc<RequestHandler>,
    stats: Stats,
    stop_signal: StopSignal,
    tasks: JoinSet<()>,
}

impl OpenConnections {
    async fn accept(
        &mut self,
        listener: &TcpListener,
        slots: Arc<Semaphore>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = pin!(shutdown);
        loop {
            let next = async {
                let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
                (slot, listener.accept().await)
            };
            tokio::select! {
                biased;
                () = shutdown.as_mut() => return,
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                (slot, accepted) = next => match accepted {
                    Ok((stream, _)) => self.serve(stream, Some(slot)),
                    Err(error) => self.handle_accept_error(error).await,
                },
            }
        }
    }

    fn serve(&mut self, stream: TcpStream, slot: Option<OwnedSemaphorePermit>) {
        self.stats.count(Count::Accepted);
        let gauge = self.stats.track(Gauge::Connection);
        let (connection_server, handler, stop_signal) =
            (self.connection_server.clone(), self.handler.clone(), self.stop_signal.clone());
        self.tasks.spawn(async move {
            connection_server.serve(stream, handler, stop_signal).await;
            drop((gauge, slot));
        });
    }

    /// Logs the error, and waits if the next `accept` would fail too.
    async fn handle_accept_error(&self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            // Only this client is affected, and the next one may already wait.
            return tracing::debug!(%error, "a client disconnected before its connection was accepted");
        }
        tracing::warn!(%error, pause_ms = ACCEPT_PAUSE.as_millis(), "cannot accept connections; trying again");
        sleep(ACCEPT_PAUSE).await;
    }

    /// Accepts the connections in the system's backlog, then closes the listener. Those clients may have sent
    /// a request already, and closing the listener would reset them.
    fn accept_backlog(&mut self, listener: TcpListener) -> io::Result<()> {
        // Without the reactor, which may not know yet of the latest connections.
        let listener = listener.into_std()?;
        for _ in 0..BACKLOG_MAX {
            let Ok((stream, _)) = listener.accept() else { break };
            stream.set_nonblocking(true)?;
            self.serve(TcpStream::from_std(stream)?, None);
        }
        Ok(())
    }

    /// Waits for all connections to end, and aborts the rest at the deadline. Returns how many it aborted.
    async fn drain(mut self, deadline: Instant) -> u64 {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout_at(deadline, all).await.is_ok() {
            return 0;
        }
        let aborted = self.tasks.len();
        self.tasks.shutdown().await;
        u64::try_from(aborted).unwrap_or(u64::MAX)
    }
}
