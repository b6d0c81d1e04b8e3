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

/// Counts the thread-locals that modules made.
static MADE: AtomicU64 = AtomicU64::new(0);
/// Counts those that were destroyed.
static RAN: AtomicU64 = AtomicU64::new(0);

/// How long a stranger waits between two calls.
const PAUSE: Duration = Duration::from_micros(300);

/// Four threads of a pool, which are residents, and two that are not: they call when they like.
pub(super) struct Callers {
    pool: Vec<Sender<RequestContext>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<(), Error>>>,
}

/// A call that a thread of the pool is to make.
struct RequestContext {
    /// What the call asks for beside the usual.
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
            let (ask, asked) = unbounded();
            let (runtime, module) = (runtime.clone(), module.clone());
            threads.push(thread::spawn(move || work(&runtime, &module, &asked)));
            pool.push(ask);
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

    /// Has each thread of the pool call once; the first of them asks for more.
    pub(super) fn call_all(&self, of_first: &str) -> Result<(), Error> {
        let (done, is_done) = bounded(self.pool.len());
        for (index, ask) in self.pool.iter().enumerate() {
            let more = if index == 0 { of_first.to_owned() } else { String::new() };
            ask.send(RequestContext { more, done: done.clone() }).map_err(|_| Error::Panicked)?;
        }
        drop(done);
        for _ in &self.pool {
            is_done.recv().map_err(|_| Error::Panicked)?;
        }
        Ok(())
    }

    /// Ends all threads, each of which must end well.
    pub(super) fn end(self) -> Result<(), Error> {
        self.is_over.store(true, Ordering::Relaxed);
        drop(self.pool);
        self.threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| Error::Panicked)?)
    }
}

/// The thread-locals that were made, and those that were destroyed.
pub(super) fn destructors() -> (u64, u64) {
    (MADE.load(Ordering::Relaxed), RAN.load(Ordering::Relaxed))
}

fn work(runtime: &Runtime, module: &ModuleHandle, asked: &Receiver<RequestContext>) -> Result<(), Error> {
    let resident = runtime.register_thread();
    loop {
        select! {
            recv(asked) -> call_of_mine => {
                let Ok(RequestContext { more, done }) = call_of_mine else { return Ok(()) };
                call(module, &more)?;
                // Fails where nobody waits for it any more.
                let _ = done.send(());
            }
            recv(resident.inbox()) -> errand => if let Ok(errand) = errand { errand.run() },
        }
    }
}

fn call(module: &ModuleHandle, more: &str) -> Result<(), Error> {
    let address = |counter: &'static AtomicU64| std::ptr::from_ref(counter).expose_provenance();
    let query = format!("made={}&ran={}{more}", address(&MADE), address(&RAN));
    module.call(&Request { query: &query, ..Request::get("/") }).map(drop).map_err(|_| Error::Call)
}
