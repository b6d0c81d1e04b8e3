//! The long-lived threads that call into every version.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use segue::{ModuleHandle, Request, Runtime};

use crate::Error;

/// Counts the thread-locals that the modules created.
static CREATED: AtomicU64 = AtomicU64::new(0);
/// Counts the ones whose destructor ran.
static DESTROYED: AtomicU64 = AtomicU64::new(0);

/// The pause of an unregistered thread between two calls.
const PAUSE: Duration = Duration::from_micros(300);

/// A pool of four registered threads, and two unregistered ones that call all the time.
pub(super) struct Callers {
    pool: Vec<Sender<Job>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<(), Error>>>,
}

/// A call for a thread of the pool.
struct Job {
    /// More parameters of the query.
    more: String,
    done: Sender<()>,
}

// === impl Callers ===

impl Callers {
    pub(super) fn start(runtime: &Runtime, module: &ModuleHandle) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut pool = Vec::new();
        for _ in 0..4 {
            let (sender, jobs) = unbounded();
            let (runtime, module) = (runtime.clone(), module.clone());
            threads.push(thread::spawn(move || work(&runtime, &module, &jobs)));
            pool.push(sender);
        }
        for _ in 0..2 {
            let (module, is_over) = (module.clone(), is_over.clone());
            threads.push(thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    call(&module, "&quick")?;
                    thread::sleep(PAUSE);
                }
                Ok(())
            }));
        }
        Callers { pool, is_over, threads }
    }

    /// Makes each thread of the pool call once. The first adds `of_first` to its query.
    pub(super) fn call_all(&self, of_first: &str) -> Result<(), Error> {
        let (done, is_done) = bounded(self.pool.len());
        for (index, sender) in self.pool.iter().enumerate() {
            let more = if index == 0 { of_first.to_owned() } else { String::new() };
            sender.send(Job { more, done: done.clone() }).map_err(|_| Error::Panicked)?;
        }
        drop(done);
        for _ in &self.pool {
            is_done.recv().map_err(|_| Error::Panicked)?;
        }
        Ok(())
    }

    /// Stops and joins all threads, and returns the first error of one.
    pub(super) fn end(self) -> Result<(), Error> {
        self.is_over.store(true, Ordering::Relaxed);
        drop(self.pool);
        self.threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| Error::Panicked)?)
    }
}

/// Returns how many thread-locals were created and how many were destroyed.
pub(super) fn destructors() -> (u64, u64) {
    (CREATED.load(Ordering::Relaxed), DESTROYED.load(Ordering::Relaxed))
}

fn work(runtime: &Runtime, module: &ModuleHandle, jobs: &Receiver<Job>) -> Result<(), Error> {
    let registered = runtime.register_thread();
    loop {
        select! {
            recv(jobs) -> job => {
                let Ok(Job { more, done }) = job else { return Ok(()) };
                call(module, &more)?;
                // It fails only if the soak has given up.
                let _ = done.send(());
            }
            recv(registered.inbox()) -> task => if let Ok(task) = task { task.run() },
        }
    }
}

fn call(module: &ModuleHandle, more: &str) -> Result<(), Error> {
    let address = |counter: &'static AtomicU64| std::ptr::from_ref(counter).expose_provenance();
    let query = format!("made={}&ran={}{more}", address(&CREATED), address(&DESTROYED));
    module.call(&Request { query: &query, ..Request::get("/") }).map(drop).map_err(|_| Error::Call)
}
