//! The pool: the threads that call modules.

use std::{
    ops::ControlFlow,
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
    response::{HttpResponse, Rejection, Responder},
    stats::{Count, Gauge, GaugeGuard, Stats},
};

/// One call to a module.
pub(crate) struct Job {
    pub(crate) module: ModuleHandle,
    pub(crate) head: Parts,
    /// The index in the request's path at which the module's own path starts.
    pub(crate) path_start: usize,
    pub(crate) body: Bytes,
    /// Receives the response. Closed if the client has disconnected.
    pub(crate) response: oneshot::Sender<HttpResponse>,
    /// Counts the job as queued until its call starts.
    pub(crate) queued: GaugeGuard,
}

/// The pool's threads. They end when all senders of the queue are dropped and the queue is empty.
pub(crate) struct Pool {
    threads: Vec<thread::JoinHandle<()>>,
    /// Closes when all threads have ended: each holds a sender and never sends.
    ended: mpsc::Receiver<()>,
}

/// The state of one thread of the pool.
struct Worker {
    runtime: Runtime,
    jobs: Receiver<Job>,
    stats: Stats,
    view: View,
}

/// A request that has entered the version that will serve it.
enum Entered<'a> {
    Current(CallGuard<'a>),
    Snapshot { snapshot: Snapshot, module: &'a str, version: VersionId },
}

// === impl Pool ===

impl Pool {
    /// Starts the threads. Returns the pool and the sender of its queue.
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

    /// Waits until all threads have ended. Returns false on a timeout: then some threads are still inside a
    /// call, and continue to run detached.
    pub(crate) async fn join(mut self, time_max: Duration) -> bool {
        if timeout(time_max, self.ended.recv()).await.is_err() {
            return false;
        }
        for thread in self.threads {
            // The threads are exiting, so this does not block the reactor. A panic of a thread was already
            // logged.
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
            // A panic that reaches this line is a bug of the host: panics of modules are caught inside the
            // module. It loses one job, and the thread continues.
            let step = catch_unwind(AssertUnwindSafe(|| {
                // Cleanup tasks first: they are short, and a purge waits for them. A call can be long.
                select_biased! {
                    recv(inbox) -> task => match task {
                        Ok(task) => task.run(),
                        // The runtime will send no more tasks.
                        Err(_) => inbox = &never,
                    },
                    recv(self.jobs) -> job => match job {
                        Ok(job) => job.run(&self, &registered),
                        Err(_) => return ControlFlow::Break(()),
                    },
                }
                ControlFlow::Continue(())
            }));
            match step {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(_) => tracing::error!("a pool thread panicked outside a module; the thread continues"),
            }
        }
    }
}

// === impl Job ===

impl Job {
    fn run(self, worker: &Worker, registered: &RegisteredThread) {
        let stats = &worker.stats;
        let Job { module, head, path_start, body, response, queued } = self;
        drop(queued);
        if response.is_closed() {
            stats.count(Count::Abandoned);
            return;
        }
        let busy = stats.track(Gauge::Busy);
        let result = call(&module, &head, path_start, &body, worker, registered);
        drop(busy);
        // Fails if the client has disconnected meanwhile.
        let _ = response.send(result);
    }
}

// === impl Entered ===

impl<'a> Entered<'a> {
    fn enter(module: &'a ModuleHandle, runtime: &Runtime, view: &View) -> Result<Self, CallError> {
        if *view == View::Snapshot {
            let snapshot = runtime.snapshot();
            if let Some(version) = snapshot.version(module.name()).cloned() {
                return Ok(Entered::Snapshot { snapshot, module: module.name(), version });
            }
        }
        // A module without a current version is not in the snapshot. `enter` waits if its first version is
        // starting.
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
            Entered::Snapshot { snapshot, module, .. } => snapshot.call(module, request),
        }
    }
}

/// Makes one call. On return the call has ended and the thread has left the version.
fn call(
    module: &ModuleHandle,
    head: &Parts,
    path_start: usize,
    body: &[u8],
    worker: &Worker,
    registered: &RegisteredThread,
) -> HttpResponse {
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
    let entered = match Entered::enter(module, runtime, view) {
        Ok(entered) => entered,
        Err(error) => {
            tracing::debug!(module = name, %error, "the module has no version to call");
            stats.count(Count::NoModule);
            return Rejection::NoModule.response();
        }
    };
    let responder = Responder { module: name, version: entered.version() };
    let call_note = registered.note_call(entered.version(), || format!("{} {path}", head.method));
    let result = entered.call(&request);
    drop(call_note);
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
            tracing::error!(module = name, version, generation, method, path, %error, "cannot make a call");
        }
    }
    responder.failure()
}
