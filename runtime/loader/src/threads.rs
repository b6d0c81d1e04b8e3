//! The threads that a module started: each runs under a trampoline of the host, and is known.
//!
//! A thread must be out of the module's text before the image goes, not only done with its work: `std`'s own epilogue and
//! the destructors of its thread-locals are module text too. So the bottom of its stack is [`run`], which is host text:
//! it calls the start routine, then the image's `detach_thread`, and only then counts the thread out. What libc does
//! afterwards calls nothing in the image: its destructors were never registered with libc (see the SDK's `interpose.rs`).

use std::{
    collections::BTreeMap,
    ffi::{c_int, c_void},
    sync::{Arc, OnceLock},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};
use segue_abi::{NativeThread, ThreadAttributes, ThreadStart};

use crate::context::Context;

/// A thread that a module started and that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleThread {
    /// Its thread id, as the system counts them.
    pub tid: i32,
    /// When it began.
    pub since: Instant,
}

/// The threads of one image.
pub(crate) struct Threads {
    live: Mutex<Live>,
    /// Rung when a thread has counted itself out.
    ended: Condvar,
    /// The image's `detach_thread`, known once its root module is.
    detach: OnceLock<unsafe extern "C" fn() -> u64>,
}

#[derive(Default)]
struct Live {
    next_id: u64,
    /// A thread is in here from before it exists; what is known of it comes when it runs.
    threads: BTreeMap<u64, Option<ModuleThread>>,
    /// Whether the image is about to go, so that no thread may begin.
    is_closed: bool,
}

/// What a new thread needs; handed over as its one argument.
struct Routine {
    id: u64,
    context: Arc<Context>,
    start: ThreadStart,
    argument: *mut c_void,
}

// === impl Threads ===

impl Threads {
    pub(crate) fn new() -> Self {
        Threads { live: Mutex::default(), ended: Condvar::new(), detach: OnceLock::new() }
    }

    pub(crate) fn set_detach(&self, detach: unsafe extern "C" fn() -> u64) {
        // Set once, by the one that maps the image.
        let _ = self.detach.set(detach);
    }

    /// `pthread_create`, with [`run`] at the bottom of the new thread.
    ///
    /// # Safety
    ///
    /// As `pthread_create`; `start` and `argument` are code and data of the image that `context` belongs to.
    pub(crate) unsafe fn spawn(
        context: Arc<Context>,
        thread: *mut NativeThread,
        attributes: ThreadAttributes,
        start: ThreadStart,
        argument: *mut c_void,
    ) -> c_int {
        let id = {
            let mut live = context.threads.live.lock();
            if live.is_closed {
                return libc::EAGAIN;
            }
            live.next_id += 1;
            let id = live.next_id;
            live.threads.insert(id, None);
            id
        };
        let routine = Box::into_raw(Box::new(Routine { id, context, start, argument }));
        // SAFETY: our caller's promise, handed on; `run` takes the box. A pthread_t is an integer of the size of usize.
        let error = unsafe { libc::pthread_create(thread.cast(), attributes.cast(), run, routine.cast()) };
        if error != 0 {
            // SAFETY: no thread was made that could take the box.
            let routine = unsafe { Box::from_raw(routine) };
            routine.context.threads.count_out(id);
        }
        error
    }

    pub(crate) fn list(&self) -> Vec<ModuleThread> {
        self.live.lock().threads.values().flatten().cloned().collect()
    }

    /// Waits until no thread is left, and then lets none begin; false where that is not so in time.
    pub(crate) fn close(&self, deadline: Instant) -> bool {
        let mut live = self.live.lock();
        while !live.threads.is_empty() {
            if self.ended.wait_until(&mut live, deadline).timed_out() && !live.threads.is_empty() {
                return false;
            }
        }
        live.is_closed = true;
        true
    }

    fn begin(&self, id: u64) {
        // SAFETY: it only asks for a number.
        let tid = unsafe { libc::gettid() };
        let thread = ModuleThread { tid, since: Instant::now() };
        self.live.lock().threads.insert(id, Some(thread));
    }

    fn count_out(&self, id: u64) {
        self.live.lock().threads.remove(&id);
        self.ended.notify_all();
    }
}

/// The bottom of a thread that a module started.
extern "C" fn run(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` made the box for this one thread.
    let Routine { id, context, start, argument } = *unsafe { Box::from_raw(routine.cast::<Routine>()) };
    context.threads.begin(id);
    // SAFETY: that is what the module asked for; the image stays while the thread is counted in.
    let result = unsafe { start.0(argument) };
    if let Some(detach) = context.threads.detach.get() {
        // SAFETY: the start routine has returned, and nothing of the image runs on this thread after this.
        unsafe { detach() };
    }
    context.threads.count_out(id);
    result
}
