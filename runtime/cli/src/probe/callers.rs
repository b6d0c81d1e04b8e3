//! The threads that call the module. They live as long as the probe, like the threads of a server's pool.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use parking_lot::Mutex;
use segue::{ModuleHandle, Runtime};

use crate::probe::{call::Call, report::Calls};

/// The name of each thread.
pub(super) const NAME: &str = "segue-probe";

/// The threads that call.
pub(super) struct Callers {
    passes: Vec<Sender<Pass>>,
    threads: Vec<JoinHandle<()>>,
    calls: Arc<Mutex<Calls>>,
}

/// One pass over all requests.
struct Pass {
    module: ModuleHandle,
    done: Sender<()>,
}

/// A pass that is running on all threads.
pub(super) struct RunningPass(Receiver<()>);

// === impl Callers ===

impl Callers {
    pub(super) fn start(runtime: &Runtime, threads: usize, requests: &[Call]) -> std::io::Result<Self> {
        let calls = Arc::new(Mutex::new(Calls::default()));
        let mut callers = Callers { passes: Vec::new(), threads: Vec::new(), calls: calls.clone() };
        for _ in 0..threads {
            let (sender, passes) = unbounded();
            let (runtime, requests, calls) = (runtime.clone(), requests.to_vec(), calls.clone());
            let thread = thread::Builder::new().name(NAME.to_owned());
            callers.threads.push(thread.spawn(move || run(&runtime, &requests, &passes, &calls))?);
            callers.passes.push(sender);
        }
        Ok(callers)
    }

    /// Starts one pass on every thread.
    pub(super) fn begin(&self, module: &ModuleHandle) -> RunningPass {
        let (done, all_done) = bounded(self.passes.len());
        for sender in &self.passes {
            // Fails if the thread has ended. Its sender is dropped then, so nobody waits for it.
            let _ = sender.send(Pass { module: module.clone(), done: done.clone() });
        }
        RunningPass(all_done)
    }

    /// The calls so far.
    pub(super) fn calls(&self) -> Calls {
        self.calls.lock().clone()
    }

    /// Ends the threads.
    pub(super) fn end(self) {
        drop(self.passes);
        for thread in self.threads {
            // Calls catch the panics of the module, so the threads do not panic.
            let _ = thread.join();
        }
    }
}

// === impl RunningPass ===

impl RunningPass {
    /// Waits until every thread is done.
    pub(super) fn wait(self) {
        // Ends when the last sender is dropped.
        self.0.iter().for_each(drop);
    }
}

fn run(runtime: &Runtime, requests: &[Call], passes: &Receiver<Pass>, calls: &Mutex<Calls>) {
    let registered = runtime.register_thread();
    loop {
        select! {
            recv(passes) -> pass => {
                let Ok(Pass { module, done }) = pass else { return };
                for request in requests {
                    let answer = module.call(&request.request());
                    let mut calls = calls.lock();
                    calls.made += 1;
                    if let Err(error) = answer {
                        calls.failed += 1;
                        calls.first_failure.get_or_insert_with(|| format!("{request}: {error}"));
                    }
                }
                drop(done);
            }
            recv(registered.inbox()) -> task => if let Ok(task) = task { task.run() },
        }
    }
}
