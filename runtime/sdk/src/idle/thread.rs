//! The threads that this image has started.

use std::{
    cell::Cell,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use crate::idle::state::State;

/// A thread that this image has started.
pub(super) struct Thread {
    pub(super) state: State,
    pub(super) tid: libc::pid_t,
    pub(super) pthread: libc::pthread_t,
    /// How many times it has waited.
    pub(super) wait_count: AtomicU32,
    /// The stack pointer for [`abandon_call`](super::abandon::abandon_call). Only the thread itself reads it.
    pub(super) stack_pointer: AtomicUsize,
    /// The address of the libc condition for which it waits; 0 if there is none. The thread writes it before
    /// it waits.
    pub(super) condition: AtomicUsize,
    /// The address of the mutex of that condition; 0 if there is none. The mutex exists while it is recorded
    /// here.
    pub(super) mutex: AtomicUsize,
}

thread_local! {
    /// The calling thread, if this image started it. Without a destructor, so it can be used at any time.
    pub(super) static CURRENT: Cell<*const Thread> = const { Cell::new(ptr::null()) };
}

static THREADS: Mutex<Vec<Arc<Thread>>> = Mutex::new(Vec::new());

/// The number of threads of this image that the host knows. A thread counts from before its creation until
/// [`run`](super::run::run) has removed it from the list.
pub(crate) static KNOWN_THREADS: AtomicU32 = AtomicU32::new(0);

/// The calling thread, if this image started it.
pub(super) fn current() -> Option<&'static Thread> {
    // SAFETY: the pointer is null, or that of the calling thread, which keeps it valid until `run` has set it
    // to null; no reference is used longer.
    unsafe { CURRENT.get().as_ref() }
}

/// The list of threads, locked.
pub(super) fn threads() -> MutexGuard<'static, Vec<Arc<Thread>>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Thread ===

impl Thread {
    pub(super) fn new(tid: libc::pid_t, pthread: libc::pthread_t) -> Self {
        Thread {
            state: State::new(),
            tid,
            pthread,
            wait_count: AtomicU32::new(0),
            stack_pointer: AtomicUsize::new(0),
            condition: AtomicUsize::new(0),
            mutex: AtomicUsize::new(0),
        }
    }

    pub(super) fn record_condition(
        &self,
        condition: *mut libc::pthread_cond_t,
        mutex: *mut libc::pthread_mutex_t,
    ) {
        self.mutex.store(mutex.expose_provenance(), SeqCst);
        self.condition.store(condition.expose_provenance(), SeqCst);
    }

    /// Wakes all threads that wait for the condition of this thread. Call it only for a thread that must end:
    /// then the condition exists until the thread has ended.
    pub(super) fn wake_from_condition(&self) {
        let condition = self.condition.load(SeqCst);
        if condition != 0 {
            // SAFETY: the thread waits for the condition, so it exists.
            unsafe { libc::pthread_cond_broadcast(ptr::with_exposed_provenance_mut(condition)) };
        }
    }
}
