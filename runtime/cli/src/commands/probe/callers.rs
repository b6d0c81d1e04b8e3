//! The threads that call the module. They live as long as the probe, like the threads of a server's pool.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use parking_lot::Mutex;
use segue::{ModuleHandle, Runtime};

use super::{report::Calls, request::Call};

/// The name of each thread.
pub(super) const NAME: &str = "segue-probe";

/// The threads that call.
pub(super) struct Callers {
    asked: Vec<Sender<Pass>>,
    threads: Vec<JoinHandle<()>>,
    calls: Arc<Mutex<Calls>>,
}

/// One pass over all requests.
struct Pass {
    module: ModuleHandle,
    done: Sender<()>,
}

/// A pass that goes on.
pub(super) struct Going(Receiver<()>);

// === impl Callers ===

impl Callers {
    pub(super) fn start(runtime: &Runtime, threads: usize, requests: &[Call]) -> std::io::Result<Self> {
        let calls = Arc::new(Mutex::new(Calls::default()));
        let mut callers = Callers { asked: Vec::new(), threads: Vec::new(), calls: calls.clone() };
        for _ in 0..threads {
            let (ask, asked) = unbounded();
            let (runtime, requests, calls) = (runtime.clone(), requests.to_vec(), calls.clone());
            let thread = thread::Builder::new().name(NAME.to_owned());
            callers.threads.push(thread.spawn(move || work(&runtime, &requests, &asked, &calls))?);
            callers.asked.push(ask);
        }
        Ok(callers)
    }

    /// Has every thread call every request once.
    pub(super) fn begin(&self, module: &ModuleHandle) -> Going {
        let (done, is_done) = bounded(self.asked.len());
        for ask in &self.asked {
            // A thread that is gone has dropped its end, so nobody waits for it.
            let _ = ask.send(Pass { module: module.clone(), done: done.clone() });
        }
        Going(is_done)
    }

    /// The calls so far.
    pub(super) fn calls(&self) -> Calls {
        self.calls.lock().clone()
    }

    /// Ends the threads.
    pub(super) fn end(self) {
        drop(self.asked);
        for thread in self.threads {
            // A panic of the module stays in its call, so the thread does not panic.
            let _ = thread.join();
        }
    }
}

// === impl Going ===

impl Going {
    /// Waits until every thread is done.
    pub(super) fn wait(self) {
        // Ends when the last sender is dropped.
        self.0.iter().for_each(drop);
    }
}

fn work(runtime: &Runtime, requests: &[Call], asked: &Receiver<Pass>, calls: &Mutex<Calls>) {
    let resident = runtime.register_thread();
    loop {
        select! {
            recv(asked) -> pass => {
                let Ok(Pass { module, done }) = pass else { return };
                for request in requests {
                    let answered = module.call(&request.request());
                    let mut calls = calls.lock();
                    calls.made += 1;
                    if let Err(error) = answered {
                        calls.failed += 1;
                        calls.first_failure.get_or_insert_with(|| format!("{request}: {error}"));
                    }
                }
                drop(done);
            }
            recv(resident.inbox()) -> errand => if let Ok(errand) = errand { errand.run() },
        }
    }
}
