//! Threads that are no residents, and are met when they pass: what an old version left on them is destroyed on them.
//!
//! Such a thread (the embedder's own, or of a runtime for tasks) cannot be asked to do anything. But when it leaves a call, it
//! looks at a flag anyway. While somebody is awaited, that flag is up on every module's current version
//! ([`Cell::hail`](segue_core::Cell::hail)), and whoever leaves comes by [`run_posted`](UnregisteredThreads::run_posted). Nothing is added to a call
//! at other times.

use std::collections::HashMap;

use parking_lot::Mutex;
use segue_core::ThreadId;

use crate::threads::registered::CleanupTask;

/// The threads that purges of one runtime await.
#[derive(Default)]
pub(crate) struct UnregisteredThreads {
    awaited: Mutex<HashMap<ThreadId, Vec<CleanupTask>>>,
}

// === impl Passers ===

impl UnregisteredThreads {
    /// From now on the thread runs this errand when it passes.
    pub(crate) fn post(&self, thread: ThreadId, errand: CleanupTask) {
        self.awaited.lock().entry(thread).or_default().push(errand);
    }

    /// Nobody waits any more for errands of this generation.
    pub(crate) fn cancel(&self, generation: u64) {
        let given_up = {
            let mut awaited = self.awaited.lock();
            let given_up: Vec<CleanupTask> =
                awaited.values_mut().flat_map(|of| of.extract_if(.., |one| one.is_of(generation))).collect();
            awaited.retain(|_, errands| !errands.is_empty());
            given_up
        };
        drop(given_up);
    }

    /// Whether anybody is awaited.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.awaited.lock().is_empty()
    }

    /// The calling thread passes: it has left a call.
    pub(crate) fn run_posted(&self) {
        let errands = {
            let mut awaited = self.awaited.lock();
            if awaited.is_empty() { None } else { awaited.remove(&ThreadId::current()) }
        };
        // Out of the lock: they run destructors of a module.
        errands.into_iter().flatten().for_each(CleanupTask::run);
    }
}
