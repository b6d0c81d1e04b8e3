//! A load client that checks every answer: it notices what a release must never cause.
//!
//! It speaks to a module that answers as `greeter` does, and gives each request a name that no other has, so that an
//! answer that is wrong, stale or somebody else's is noticed. It works over bare HTTP/1.1 connections of its own, without
//! a pool that would quietly connect again or ask twice: a kept-alive connection that the server closes is a loss.
//!
//! ```no_run
//! use std::time::Duration;
//! use segue_cli::demo::client::{Load, Phase, Plan};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let load = Load::start(Plan::new("127.0.0.1:8080".parse()?))?;
//! load.begin(Phase::Quiet);
//! std::thread::sleep(Duration::from_secs(5));
//! let outcome = load.stop();
//! assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
//! # Ok(())
//! # }
//! ```
//!
//! # What the figures say
//!
//! The clients are closed loops: each sends its next request when it has the last answer, at full speed. A latency is
//! measured from the moment in which its request was sent. Where the server stalls, fewer requests are sent, and so the
//! percentiles understate what a stall would do to clients that come at a rate of their own. They compare one phase with
//! another under the same load; they are no service level. The slow requests are counted and checked, not measured.

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

use check::Retired;
use exchange::{Connection, RequestContext};
use tally::Tally;

pub use loss::Loss;
pub use tally::{Latencies, Outcome, Phase, Progress};

/// How long a client pauses after a loss: a server that is down must not be asked a million times, each a loss.
const PAUSE_AFTER_LOSS: Duration = Duration::from_millis(20);

/// Who asks what.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// Where the module is: `/greeter`.
    pub prefix: String,
    /// Clients that keep one connection for all their requests.
    pub keep_alive: usize,
    /// Clients that connect anew for each request.
    pub fresh: usize,
    /// Where given, one more client asks for an answer that takes this long, over and over, so that one call is inside
    /// for most of the time. The module must know `?wait_ms=`.
    pub slow: Option<Duration>,
    /// How long an answer may take, beside what a slow one takes anyhow. Past it, it is lost.
    pub answer_timeout: Duration,
}

/// Clients that are at work, on a thread of their own. Dropping it without [`stop`](Load::stop) ends them as well.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the clients share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    is_stopping: AtomicBool,
    /// The number of the next request, which is part of its name.
    next: AtomicU64,
    tally: Tally,
    retired: Retired,
}

/// How a client treats its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    KeepAlive,
    Fresh,
    Slow(Duration),
}

// === impl Plan ===

impl Plan {
    /// Four clients that keep their connection, two that do not, none that is slow, at the module `greeter`.
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

// === impl Load ===

impl Load {
    /// Sets the clients to work.
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn start(plan: Plan) -> io::Result<Self> {
        // One thread for all clients: they leave the processors to the server, and their answers need no order.
        let reactor = runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared {
            plan,
            is_stopping: AtomicBool::new(false),
            next: AtomicU64::new(1),
            tally: Tally::default(),
            retired: Retired::default(),
        });
        let of_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("segue-load-client".to_owned())
            .spawn(move || reactor.block_on(work(of_thread)))?;
        Ok(Load { shared, thread: Some(thread) })
    }

    /// From now on, what is sent is measured as part of this phase. Before the first one, nothing is measured.
    pub fn begin(&self, phase: Phase) {
        self.shared.tally.begin(phase);
    }

    /// Says that this generation was replaced, and that this was acknowledged: whatever is sent from now on must not be
    /// answered by it, on any connection.
    pub fn retire(&self, generation: u64) {
        self.shared.retired.add(generation);
    }

    /// Says, before a rollback is asked for, that this generation may answer again.
    pub fn reinstate(&self, generation: u64) {
        self.shared.retired.remove(generation);
    }

    /// What has happened so far.
    pub fn progress(&self) -> Progress {
        self.shared.tally.progress()
    }

    /// Lets each client finish the request that it is at, and tells what happened in all.
    pub fn stop(mut self) -> Outcome {
        self.end();
        self.shared.tally.outcome()
    }

    fn end(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of a client was printed. What it has not counted is missing in the figures.
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

async fn work(shared: Arc<Shared>) {
    let plan = &shared.plan;
    let habits = [(Habit::KeepAlive, plan.keep_alive), (Habit::Fresh, plan.fresh)];
    let habits = habits.into_iter().flat_map(|(habit, count)| std::iter::repeat_n(habit, count));
    let mut clients = JoinSet::new();
    for habit in habits.chain(plan.slow.map(Habit::Slow)) {
        clients.spawn(client(shared.clone(), habit));
    }
    while clients.join_next().await.is_some() {}
}

async fn client(shared: Arc<Shared>, habit: Habit) {
    let mut connection = None;
    while !shared.is_stopping.load(Ordering::Relaxed) {
        if let Err((loss, detail)) = ask(&shared, habit, &mut connection).await {
            shared.tally.lost(loss, detail);
            connection = None;
            sleep(PAUSE_AFTER_LOSS).await;
        }
    }
}

/// One request. The connection is left behind for the next one where the client keeps it.
async fn ask(
    shared: &Shared,
    habit: Habit,
    connection: &mut Option<Connection>,
) -> Result<(), (Loss, String)> {
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    let phase = shared.tally.phase();
    let (name, query, patience) = match habit {
        Habit::Slow(wait) => (
            format!("slow-{number}"),
            format!("?wait_ms={}", wait.as_millis()),
            wait + shared.plan.answer_timeout,
        ),
        _ => (format!("n{number}"), String::new(), shared.plan.answer_timeout),
    };
    let asked = RequestContext {
        target: format!("{}/{name}{query}", shared.plan.prefix),
        keep_alive: habit == Habit::KeepAlive,
    };
    let _inside = matches!(habit, Habit::Slow(_)).then(|| shared.tally.slow_begins());
    let sent = Instant::now();
    let answer = exchange::exchange(shared.plan.address, &asked, connection, patience).await;
    let took = sent.elapsed();
    let about = |detail: String| format!("{} after {} ms: {detail}", asked.target, took.as_millis());
    let answer = answer.map_err(|(loss, detail)| (loss, about(detail)))?;
    let version = check::check(&answer, &name, sent, &shared.retired)
        .map_err(|(loss, detail)| (loss, about(detail)))?;
    let measured = match habit {
        Habit::Slow(_) => None,
        _ => phase.map(|phase| (phase, took)),
    };
    shared.tally.answered(version, measured);
    Ok(())
}
