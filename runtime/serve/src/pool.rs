//! The threads that call modules.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased};
use http::request::Parts;
use segue::{
    CallError, CallFailure, CallGuard, ModuleHandle, RegisteredThread, Reply, Request, Runtime, Snapshot,
    VersionId,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    Config, Error, View,
    response::{Answer, Rejection, Responder},
    stats::{Count, Gauge, GaugeGuard, Stats},
};

/// One call to make.
pub(crate) struct Job {
    pub(crate) module: ModuleHandle,
    pub(crate) head: Parts,
    /// Where the module's own path begins in the path of the request.
    pub(crate) path_start: usize,
    pub(crate) body: Bytes,
    /// Where the answer goes. Closed where the client has gone.
    pub(crate) answer: oneshot::Sender<Answer>,
    pub(crate) waiting: GaugeGuard,
}

/// The threads, as a whole. They end when nobody can send them jobs any more and the queue is empty.
pub(crate) struct Pool {
    threads: Vec<thread::JoinHandle<()>>,
    /// Says that all have ended: each has a sender, and nothing is ever sent.
    ended: mpsc::Receiver<()>,
}

/// What one thread of the pool has.
struct Worker {
    runtime: Runtime,
    jobs: Receiver<Job>,
    stats: Stats,
    view: View,
}

/// A request that is inside the version that answers it.
enum Entered<'a> {
    Current(CallGuard<'a>),
    Snapshot { all: Snapshot, module: &'a str, version: VersionId },
}

/// Whether a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

// === impl Pool ===

impl Pool {
    /// Starts the threads, and gives the queue that they serve.
    pub(crate) fn start(
        runtime: &Runtime,
        config: &Config,
        stats: &Stats,
    ) -> Result<(Self, Sender<Job>), Error> {
        let (sender, jobs) = bounded(config.queue_length_max);
        let (alive, ended) = mpsc::channel(1);
        let mut threads = Vec::new();
        for number in 0..config.worker_threads.max(1) {
            let worker = Worker {
                runtime: runtime.clone(),
                jobs: jobs.clone(),
                stats: stats.clone(),
                view: config.view,
            };
            let alive = alive.clone();
            let name = format!("segue-call-{number}");
            let started = thread::Builder::new().name(name.clone()).spawn(move || {
                worker.run();
                drop(alive);
            });
            threads.push(started.map_err(|source| Error::Thread { name, source })?);
        }
        Ok((Pool { threads, ended }, sender))
    }

    /// Waits until all threads have ended. False where some are still inside a call when the time is over; those are
    /// left behind.
    pub(crate) async fn join(mut self, timeout_after: Duration) -> bool {
        if timeout(timeout_after, self.ended.recv()).await.is_err() {
            return false;
        }
        for thread in self.threads {
            // They have nothing left to do but to exit, so this does not hold the reactor up. What a thread may have
            // panicked with was logged.
            let _ = thread.join();
        }
        true
    }
}

// === impl Worker ===

impl Worker {
    fn run(self) {
        let registered = self.runtime.register_thread();
        let never = never();
        let mut inbox = registered.inbox();
        loop {
            // A panic in here is the host's own: the module's end inside the module. It costs one job, and no thread.
            let step = catch_unwind(AssertUnwindSafe(|| {
                // Errands first: they are short, a purge waits for each, and a call may be long.
                select_biased! {
                    recv(inbox) -> errand => match errand {
                        Ok(errand) => errand.run(),
                        // Nobody will send an errand again.
                        Err(_) => inbox = &never,
                    },
                    recv(self.jobs) -> job => match job {
                        Ok(job) => job.run(&self, &registered),
                        Err(_) => return Then::End,
                    },
                }
                Then::GoOn
            }));
            match step {
                Ok(Then::GoOn) => {}
                Ok(Then::End) => return,
                Err(_) => tracing::error!("a thread of the server panicked outside of a module, and goes on"),
            }
        }
    }
}

// === impl Job ===

impl Job {
    fn run(self, worker: &Worker, registered: &RegisteredThread) {
        let stats = &worker.stats;
        let Job { module, head, path_start, body, answer, waiting } = self;
        drop(waiting);
        if answer.is_closed() {
            stats.count(Count::Abandoned);
            return;
        }
        let busy = stats.track(Gauge::Busy);
        let answered = call(&module, &head, path_start, &body, worker, registered);
        drop(busy);
        // The client may have gone meanwhile; then nobody is there to be told.
        let _ = answer.send(answered);
    }
}

// === impl Entered ===

impl<'a> Entered<'a> {
    fn begin(module: &'a ModuleHandle, runtime: &Runtime, view: &View) -> Result<Self, CallError> {
        if *view == View::Snapshot {
            let all = runtime.snapshot();
            if let Some(version) = all.version(module.name()).cloned() {
                return Ok(Entered::Snapshot { all, module: module.name(), version });
            }
        }
        // Without a current version there is none in a snapshot. Its first may be starting, which is waited for.
        module.enter().map(Entered::Current)
    }

    fn version(&self) -> &VersionId {
        match self {
            Entered::Current(guard) => guard.version(),
            Entered::Snapshot { version, .. } => version,
        }
    }

    fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        match self {
            Entered::Current(guard) => guard.call(request),
            Entered::Snapshot { all, module, .. } => all.call(module, request),
        }
    }
}

/// Makes one call. It is over, and the caller is out of the version it was in, when this returns.
fn call(
    module: &ModuleHandle,
    head: &Parts,
    path_start: usize,
    body: &[u8],
    worker: &Worker,
    registered: &RegisteredThread,
) -> Answer {
    let Worker { runtime, stats, view, .. } = worker;
    let path = head.uri.path();
    let request = Request {
        method: head.method.as_str(),
        path: match path.get(path_start..) {
            None | Some("") => "/",
            Some(rest) => rest,
        },
        query: head.uri.query().unwrap_or_default(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        body,
    };
    let name = module.name();
    let entered = match Entered::begin(module, runtime, view) {
        Ok(entered) => entered,
        Err(error) => {
            tracing::debug!(module = name, %error, "nothing to call");
            stats.count(Count::NoModule);
            return Rejection::NoModule.answer();
        }
    };
    let responder = Responder { module: name, version: entered.version() };
    let calling = registered.note_call(entered.version(), || format!("{} {path}", head.method));
    let result = entered.call(&request);
    drop(calling);
    let error = match result {
        Ok(reply) => {
            stats.count(Count::Answered);
            return responder.reply(reply, &head.method);
        }
        Err(error) => error,
    };
    stats.count(Count::Failed);
    let version = &responder.version.version;
    let generation = responder.version.generation;
    let method = head.method.as_str();
    match error.failure() {
        CallFailure::Fault { text, .. } => {
            tracing::error!(module = name, version, generation, method, path, fault = text, "a call failed");
        }
        CallFailure::Panicked { message, file, line, .. } => {
            tracing::error!(
                module = name,
                version,
                generation,
                method,
                path,
                panic = message,
                file,
                line,
                "a call panicked"
            );
        }
        _ => {
            tracing::error!(module = name, version, generation, method, path, %error, "a call was not made");
        }
    }
    responder.failure()
}
