//! A load client that checks every answer, and so detects every loss that a release could cause.
//!
//! It sends requests to a module that answers as `greeter` does. Each request has a unique name, so the
//! client detects a wrong answer, a stale one, and the answer to another request. It uses plain HTTP/1.1
//! connections. A connection pool would reconnect or retry silently; here, a kept connection that the server
//! closes is a loss.
//!
//! ```no_run
//! use std::time::Duration;
//! use segue_demo::client::{Clients, Period, Plan};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let clients = Clients::start(Plan::new("127.0.0.1:8080".parse()?))?;
//! clients.begin(Period::Quiet);
//! std::thread::sleep(Duration::from_secs(5));
//! let outcome = clients.stop();
//! assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
//! # Ok(())
//! # }
//! ```
//!
//! # What the latencies mean
//!
//! The clients are closed loops: each sends its next request when it has the last answer, at full speed. A
//! latency starts when its request is sent. If the server stalls, fewer requests are sent, so the percentiles
//! understate what a stall does to clients with a fixed rate. Use them to compare two periods under the same
//! load, not as a service level. Slow requests are counted and checked, but not measured.

mod check;
mod exchange;
mod loss;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime, task::JoinSet, time::sleep};

use check::RetiredGenerations;
use exchange::{Connection, RequestSpec};
use tally::Tally;

pub use loss::Loss;
pub use tally::{Latencies, Outcome, Period, Progress};

/// The pause of a client after a loss. Without it, a server that is down would cause millions of losses.
const PAUSE_AFTER_LOSS: Duration = Duration::from_millis(20);

/// The number of clients, and their requests.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// The path prefix of the module: `/greeter`.
    pub prefix: String,
    /// How many clients use one connection for all their requests.
    pub keep_alive: usize,
    /// How many clients open a connection for each request.
    pub fresh: usize,
    /// The duration of the requests of one more client, which keeps a call inside most of the time. The
    /// module must support `?wait_ms=`. `None` for no such client.
    pub slow: Option<Duration>,
    /// How long an answer may take, on top of the duration of a slow request. A later answer counts as lost.
    pub answer_timeout: Duration,
}

/// Running clients, on one thread. Dropping it stops them, as [`stop`](Clients::stop) does.
#[derive(Debug)]
pub struct Clients {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The state that all clients share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    is_stopping: AtomicBool,
    /// The number of the next request. It is part of the request's name.
    next: AtomicU64,
    tally: Tally,
    retired: RetiredGenerations,
}

/// How a client uses its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKind {
    KeepAlive,
    Fresh,
    Slow(Duration),
}

// === impl Plan ===

impl Plan {
    /// Four clients that keep their connection, two that do not, and no slow one, for the module `greeter`.
    pub fn new(address: SocketAddr) -> Self {
        Plan {
            address,
            prefix: "/greeter".to_owned(),
            keep_alive: 4,
            fresh: 2,
            slow: None,
            answer_timeout: Duration::from_secs(10),
        }
    }
}

// === impl Clients ===

impl Clients {
    /// Starts the clients.
    ///
    /// # Errors
    ///
    /// If the system cannot start a thread.
    pub fn start(plan: Plan) -> io::Result<Self> {
        // One thread for all clients leaves the processors to the server. The order of the answers does not
        // matter.
        let executor = runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared {
            plan,
            is_stopping: AtomicBool::new(false),
            next: AtomicU64::new(1),
            tally: Tally::default(),
            retired: RetiredGenerations::default(),
        });
        let for_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("segue-load-client".to_owned())
            .spawn(move || executor.block_on(run(for_thread)))?;
        Ok(Clients { shared, thread: Some(thread) })
    }

    /// Begins a period: requests sent from now on are measured as part of it. Before the first period,
    /// nothing is measured.
    pub fn begin(&self, period: Period) {
        self.shared.tally.begin(period);
    }

    /// Declares that the replacement of this generation is acknowledged: it must not answer a request that is
    /// sent from now on, on any connection.
    pub fn retire(&self, generation: u64) {
        self.shared.retired.add(generation);
    }

    /// Allows this generation to answer again. Call it before a rollback.
    pub fn reinstate(&self, generation: u64) {
        self.shared.retired.remove(generation);
    }

    /// The counts so far.
    pub fn progress(&self) -> Progress {
        self.shared.tally.progress()
    }

    /// Lets each client finish its request, and returns all counts.
    pub fn stop(mut self) -> Outcome {
        self.end();
        self.shared.tally.outcome()
    }

    fn end(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of a client was printed already, and only its last request is not counted.
            let _ = thread.join();
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.end();
    }
}

async fn run(shared: Arc<Shared>) {
    let plan = &shared.plan;
    let kinds = [(ClientKind::KeepAlive, plan.keep_alive), (ClientKind::Fresh, plan.fresh)];
    let kinds = kinds.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
    let mut clients = JoinSet::new();
    for kind in kinds.chain(plan.slow.map(ClientKind::Slow)) {
        clients.spawn(client(shared.clone(), kind));
    }
    while clients.join_next().await.is_some() {}
}

async fn client(shared: Arc<Shared>, kind: ClientKind) {
    let mut connection = None;
    while !shared.is_stopping.load(Ordering::Relaxed) {
        if let Err((loss, detail)) = request(&shared, kind, &mut connection).await {
            shared.tally.lost(loss, detail);
            connection = None;
            sleep(PAUSE_AFTER_LOSS).await;
        }
    }
}

/// Makes one request. A connection that the client keeps is in `connection` afterwards.
async fn request(
    shared: &Shared,
    kind: ClientKind,
    connection: &mut Option<Connection>,
) -> Result<(), (Loss, String)> {
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    let period = shared.tally.period();
    let (name, query, limit) = match kind {
        ClientKind::Slow(wait) => (
            format!("slow-{number}"),
            format!("?wait_ms={}", wait.as_millis()),
            wait + shared.plan.answer_timeout,
        ),
        _ => (format!("n{number}"), String::new(), shared.plan.answer_timeout),
    };
    let spec = RequestSpec {
        target: format!("{}/{name}{query}", shared.plan.prefix),
        keep_alive: kind == ClientKind::KeepAlive,
    };
    let _running = matches!(kind, ClientKind::Slow(_)).then(|| shared.tally.begin_slow_request());
    let sent = Instant::now();
    let answer = exchange::exchange(shared.plan.address, &spec, connection, limit).await;
    let latency = sent.elapsed();
    let with_target = |(loss, detail): (Loss, String)| {
        (loss, format!("{} after {} ms: {detail}", spec.target, latency.as_millis()))
    };
    let answer = answer.map_err(with_target)?;
    let version = check::check(&answer, &name, sent, &shared.retired).map_err(with_target)?;
    let measured = match kind {
        ClientKind::Slow(_) => None,
        _ => period.map(|period| (period, latency)),
    };
    shared.tally.answered(version, measured);
    Ok(())
}
