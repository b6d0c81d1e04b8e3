//! Threads of the host that are not registered. A purge leaves a cleanup task for such a thread, which runs
//! it when it next leaves a call.
//!
//! A purge cannot send such a thread a message. But a thread that leaves a call checks a flag anyway. While a
//! purge waits for a thread, the flag is set on the current version of every module
//! ([`Cell::request_wake`](segue_core::Cell::request_wake)), and each thread that leaves calls
//! [`run_posted`](UnregisteredThreads::run_posted). At other times a call costs nothing more.

use std::collections::HashMap;

use parking_lot::Mutex;
use segue_core::ThreadId;

use crate::threads::registered::CleanupTask;

/// The cleanup tasks that purges have left for unregistered threads.
#[derive(Default)]
pub(crate) struct UnregisteredThreads {
    tasks: Mutex<HashMap<ThreadId, Vec<CleanupTask>>>,
}

// === impl UnregisteredThreads ===

impl UnregisteredThreads {
    /// Leaves a task for the thread. It runs the task when it next leaves a call.
    pub(crate) fn post(&self, thread: ThreadId, task: CleanupTask) {
        self.tasks.lock().entry(thread).or_default().push(task);
    }

    /// Drops the tasks of this generation.
    pub(crate) fn cancel(&self, generation: u64) {
        let cancelled = {
            let mut tasks = self.tasks.lock();
            let cancelled: Vec<CleanupTask> = tasks
                .values_mut()
                .flat_map(|thread_tasks| thread_tasks.extract_if(.., |task| task.is_for(generation)))
                .collect();
            tasks.retain(|_, thread_tasks| !thread_tasks.is_empty());
            cancelled
        };
        // Outside the lock.
        drop(cancelled);
    }

    /// Whether any task is left.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.tasks.lock().is_empty()
    }

    /// Runs the calling thread's tasks. The thread has just left a call.
    pub(crate) fn run_posted(&self) {
        let thread_tasks = {
            let mut tasks = self.tasks.lock();
            if tasks.is_empty() { None } else { tasks.remove(&ThreadId::current()) }
        };
        // Outside the lock: a task runs destructors of a module.
        thread_tasks.into_iter().flatten().for_each(CleanupTask::run);
    }
}
