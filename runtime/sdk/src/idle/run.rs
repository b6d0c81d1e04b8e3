//! Runs the threads of this image, from their start routine to their end.

use std::{
    cell::Cell,
    ffi::c_void,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

#[cfg(feature = "rayon")]
use crate::idle::{abandon::abandon_call, thread::current};
use crate::idle::{
    abandon::{StartRoutine, call_catching_unwind},
    cancel,
    joins::{self, ExitFlag},
    masks,
    thread::{CURRENT, KNOWN_THREADS, Thread, threads},
};

thread_local! {
    /// Whether the calling thread was ended early. Its destructors must not run then.
    static ENDED_EARLY: Cell<bool> = const { Cell::new(false) };
}

/// The number of threads that waited and were ended early.
static ENDED_EARLY_COUNT: AtomicU32 = AtomicU32::new(0);

/// Runs a thread that the host knows: calls `start`, until it returns or the thread ends in another way. Then
/// sets `exit`.
///
/// # Safety
///
/// `start` can be called with `argument`, once.
pub(crate) unsafe fn run(start: StartRoutine, argument: *mut c_void, exit: &ExitFlag) -> *mut c_void {
    // SAFETY: both only return a number.
    let (tid, pthread) = unsafe { (libc::gettid(), libc::pthread_self()) };
    let thread = Arc::new(Thread::new(tid, pthread));
    threads().push(thread.clone());
    CURRENT.set(Arc::as_ptr(&thread));
    masks::unblock_wake_signal();
    // SAFETY: our caller's promise, and `stack_pointer` can be written.
    let result = unsafe { call_catching_unwind(start, argument, thread.stack_pointer.as_ptr()) };
    CURRENT.set(ptr::null());
    let result = cancel::end().unwrap_or(result);
    if thread.state.is_ending() {
        ENDED_EARLY.set(true);
        ENDED_EARLY_COUNT.fetch_add(1, SeqCst);
    }
    if ENDED_EARLY.get() {
        joins::record_unjoined();
    }
    let mut all = threads();
    all.retain(|other| !Arc::ptr_eq(other, &thread));
    KNOWN_THREADS.fetch_sub(1, SeqCst);
    drop(all);
    exit.set();
    result
}

/// Runs a thread that no host knows: calls `start`, until it returns or the thread ends itself.
///
/// # Safety
///
/// As for [`run`].
pub(crate) unsafe fn run_unknown(start: StartRoutine, argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise, and the stack pointer can be written.
    let result = unsafe { call_catching_unwind(start, argument, &mut 0) };
    cancel::end().unwrap_or(result)
}

/// Ends the calling thread at once, if this image started it; otherwise returns. Runs `detach` first, which
/// must run the thread's destructors. The thread abandons its functions: their variables are not dropped.
///
/// # Safety
///
/// No other thread may use variables on this thread's stack.
#[cfg(feature = "rayon")]
pub(crate) unsafe fn end_this_thread(detach: extern "C" fn() -> u64) {
    let Some(thread) = current() else { return };
    // While the variables of its functions still exist, because a destructor may use them.
    detach();
    ENDED_EARLY.set(true);
    // SAFETY: the call that `run` made is in progress, because `run` has set CURRENT. Our caller promised
    // that no other thread uses the variables of the abandoned functions.
    unsafe { abandon_call(thread.stack_pointer.load(SeqCst)) }
}

/// Whether the destructors that the calling thread has registered may run. Not if the thread was ended early,
/// because it may still hold a lock.
pub(crate) fn may_run_destructors() -> bool {
    !ENDED_EARLY.get()
}

/// Whether a thread of this image that waited was ended early.
pub(crate) fn any_ended_early() -> bool {
    ENDED_EARLY_COUNT.load(SeqCst) > 0
}
