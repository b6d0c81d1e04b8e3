//! Replaces `pthread_create`, so that the host starts each thread of this image and knows it.
//!
//! The host's trampoline is at the bottom of such a thread's stack. When the start routine has returned, the
//! trampoline calls [`detach_thread`].

use std::{
    ffi::{c_int, c_void},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use libc::{pthread_attr_t, pthread_t};
use segue_abi::ThreadStart;

use crate::{
    boundary::attached,
    idle::{self, ExitFlag, StartRoutine},
    interpose::thread_locals::detach_thread,
    sys::libc_fn::libc_fn,
};

/// The number of threads that were started before this image was attached to a host. Only counted, so Relaxed
/// is enough.
static UNKNOWN_THREADS: AtomicU32 = AtomicU32::new(0);

/// The work of a new thread.
struct Task {
    start: StartRoutine,
    argument: *mut c_void,
    exit: Arc<ExitFlag>,
}

/// The number of threads of this image that no host knows.
pub(crate) fn unknown_count() -> u32 {
    UNKNOWN_THREADS.load(Ordering::Relaxed)
}

/// Replaces `pthread_create`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: StartRoutine,
    argument: *mut c_void,
) -> c_int {
    let exit = Arc::<ExitFlag>::default();
    let task = Box::into_raw(Box::new(Task { start, argument, exit: exit.clone() })).cast();
    let (count, error) = match attached::host() {
        Some(host) => {
            idle::KNOWN_THREADS.fetch_add(1, Ordering::SeqCst);
            let start = ThreadStart(run_known);
            // SAFETY: the host is valid while code of this image runs; the rest is our caller's promise,
            // passed on; `run_known` takes the box. On Linux a pthread_t is an integer of the size of usize.
            let error =
                unsafe { host.vtable.spawn()(host.context, thread.cast(), attributes.cast(), start, task) };
            if error == 0 {
                // SAFETY: the host has just written it, and the attributes are our caller's promise.
                unsafe { idle::record_joinable(thread.read(), attributes, exit) };
            }
            (&idle::KNOWN_THREADS, error)
        }
        None => {
            UNKNOWN_THREADS.fetch_add(1, Ordering::Relaxed);
            let create = libc_fn!(
                c"pthread_create"
                    as fn(*mut pthread_t, *const pthread_attr_t, StartRoutine, *mut c_void) -> c_int
            );
            // SAFETY: our caller's promise, passed on; `run_unknown` takes the box.
            (&UNKNOWN_THREADS, unsafe { create(thread, attributes, run_unknown, task) })
        }
    };
    if error != 0 {
        count.fetch_sub(1, Ordering::SeqCst);
        // SAFETY: no thread was created that could take the box.
        unsafe { take(task) };
    }
    error
}

/// Takes the task out of the box in which it was passed to the thread.
///
/// # Safety
///
/// `pthread_create` made the box, and nothing has taken it.
unsafe fn take(task: *mut c_void) -> Task {
    // SAFETY: our caller's promise.
    *unsafe { Box::from_raw(task.cast()) }
}

/// The outermost function, in this image, of a thread that the host knows.
unsafe extern "C" fn run_known(task: *mut c_void) -> *mut c_void {
    // SAFETY: `pthread_create` made the box for this one thread.
    let Task { start, argument, exit } = unsafe { take(task) };
    // SAFETY: the caller of pthread_create asked for this call.
    unsafe { idle::run(start, argument, &exit) }
}

/// The outermost function of a thread that no host knows. Such a thread returns through this function, so the
/// image can never be unmapped after one has run.
unsafe extern "C" fn run_unknown(task: *mut c_void) -> *mut c_void {
    // SAFETY: `pthread_create` made the box for this one thread.
    let Task { start, argument, .. } = unsafe { take(task) };
    // SAFETY: the caller of pthread_create asked for this call.
    let result = unsafe { idle::run_unknown(start, argument) };
    detach_thread();
    result
}
