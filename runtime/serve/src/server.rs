//! The server: it accepts connections until it is to stop, and then sees all of them off.

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

/// How long nothing is accepted after the system refused to (most often: no file descriptor is free). Without it a
/// processor would be kept busy with asking; with more, clients would wait after the reason is gone.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The most connections that are taken from the system's backlog when the server is to stop.
const BACKLOG_MAX: usize = 1024;
/// What the pool's threads have at least to end in. Those that are not inside a call need less.
const POOL_END_MIN: Duration = Duration::from_millis(100);

/// Puts a [`Server`] together.
#[must_use = "a builder does nothing by itself"]
pub struct Builder {
    runtime: Runtime,
    config: Config,
    routes: Vec<Route>,
}

/// A server that listens, and answers once it [runs](Server::run).
#[must_use = "a server answers nothing until it runs"]
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
    /// Other limits than the default ones.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// One more route.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// More routes.
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Listens on this address; port 0 takes any that is free. From now on connections are not refused, but wait.
    ///
    /// # Errors
    ///
    /// Where the address is taken, or is none, or two routes have the same prefix.
    pub async fn bind(self, address: impl ToSocketAddrs + Display) -> Result<Server, Error> {
        let listener = TcpListener::bind(&address)
            .await
            .map_err(|source| Error::Listen { address: address.to_string(), source })?;
        self.listener(listener)
    }

    /// Serves a listener that exists already.
    ///
    /// # Errors
    ///
    /// Where the listener has no address, or two routes have the same prefix.
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

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it counts, to be read while it runs.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Serves until `shutdown` is ready, and then until everything that was begun is answered: it stops accepting, closes
    /// idle connections, answers what is inside and what is queued, and ends its threads.
    ///
    /// Dropping the future instead cuts all connections; calls that are inside go on until they return.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`] at once, where the pool cannot be started; [`Error::Drain`] in the end, where the
    /// [deadline](Config::drain_deadline) has passed.
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
            tracing::warn!(%error, "clients that wait to be accepted are refused");
        }
        tracing::info!(connections = open.tasks.len(), "no longer accepting connections");

        let deadline = Instant::now() + drain_deadline;
        stop.send_replace(true);
        let cut = open.drain(deadline).await;
        // The last senders of the queue went with the connections, so the threads end as soon as it is empty.
        let patience = deadline.saturating_duration_since(Instant::now()).max(POOL_END_MIN);
        let ended = pool.join(patience).await;
        if cut == 0 && ended {
            return Ok(());
        }
        Err(Error::Drain { deadline: drain_deadline, connections: cut, calls: stats.figures().busy })
    }
}

/// The connections that are open.
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
                let slot = slots.clone().acquire_owned().await.expect("nobody closes the semaphore");
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
        let counted = self.stats.track(Gauge::Connection);
        let (connection_server, handler, stop_signal) =
            (self.connection_server.clone(), self.handler.clone(), self.stop_signal.clone());
        self.tasks.spawn(async move {
            connection_server.serve(stream, handler, stop_signal).await;
            drop((counted, slot));
        });
    }

    /// A connection that could not be accepted is no reason to end.
    async fn handle_accept_error(&self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            // The client's doing, and the next one may be waiting.
            return tracing::debug!(%error, "a connection was gone before it was accepted");
        }
        tracing::warn!(%error, pause_ms = ACCEPT_PAUSE.as_millis(), "no connection can be accepted at the moment");
        sleep(ACCEPT_PAUSE).await;
    }

    /// Accepts what the system has accepted already, and closes the listener: those clients may have sent their request,
    /// and closing would reset them.
    fn accept_backlog(&mut self, listener: TcpListener) -> io::Result<()> {
        // Not through the reactor, which knows only what it was told when it last looked.
        let listener = listener.into_std()?;
        for _ in 0..BACKLOG_MAX {
            let Ok((stream, _)) = listener.accept() else { break };
            stream.set_nonblocking(true)?;
            self.serve(TcpStream::from_std(stream)?, None);
        }
        Ok(())
    }

    /// Waits for all connections to end, and cuts those that have not when the time is over. How many those were.
    async fn drain(mut self, deadline: Instant) -> u64 {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout_at(deadline, all).await.is_ok() {
            return 0;
        }
        let cut = self.tasks.len();
        self.tasks.shutdown().await;
        u64::try_from(cut).unwrap_or(u64::MAX)
    }
}
