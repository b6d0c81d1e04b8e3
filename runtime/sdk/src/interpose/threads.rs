//! Stands in for `pthread_create`, so that the host starts and knows every thread of this image.

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
    idle::{self, Exit, Start},
    interpose::thread_locals::detach_thread,
    sys::libc_fn::libc_fn,
};

/// Threads that were started when there was no host yet. Only counted: Relaxed is enough.
static UNKNOWN_THREADS: AtomicU32 = AtomicU32::new(0);

/// What a new thread is to do.
struct Routine {
    start: Start,
    argument: *mut c_void,
    exit: Arc<Exit>,
}

/// How many threads of this image no host knows.
pub(crate) fn unknown() -> u32 {
    UNKNOWN_THREADS.load(Ordering::Relaxed)
}

/// Stands in for `pthread_create`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn thread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let exit = Arc::<Exit>::default();
    let routine = Box::into_raw(Box::new(Routine { start, argument, exit: exit.clone() })).cast();
    let (count, error) = match attached::host() {
        Some(host) => {
            idle::BEGUN.fetch_add(1, Ordering::SeqCst);
            let start = ThreadStart(run_known);
            // SAFETY: the host is valid while code of this image runs; the rest is our caller's promise, handed on;
            // `run_known` takes the box. On Linux a pthread_t is an integer of the size of usize.
            let error = unsafe {
                host.vtable.spawn()(host.context, thread.cast(), attributes.cast(), start, routine)
            };
            if error == 0 {
                // SAFETY: it was written just now, and the attributes are our caller's promise.
                unsafe { idle::note_joinable(thread.read(), attributes, exit) };
            }
            (&idle::BEGUN, error)
        }
        None => {
            UNKNOWN_THREADS.fetch_add(1, Ordering::Relaxed);
            let create = libc_fn!(
                c"pthread_create" as fn(*mut pthread_t, *const pthread_attr_t, Start, *mut c_void) -> c_int
            );
            // SAFETY: our caller's promise, handed on; `run_unknown` takes the box.
            (&UNKNOWN_THREADS, unsafe { create(thread, attributes, run_unknown, routine) })
        }
    };
    if error != 0 {
        count.fetch_sub(1, Ordering::SeqCst);
        // SAFETY: no thread was made that could take the box.
        unsafe { take(routine) };
    }
    error
}

/// What a new thread is to call, out of the box in which it was handed over.
///
/// # Safety
///
/// `thread_create` made the box, and nobody has taken it.
unsafe fn take(routine: *mut c_void) -> Routine {
    // SAFETY: our caller's promise.
    *unsafe { Box::from_raw(routine.cast()) }
}

/// The bottom, in this image, of a thread that the host knows.
unsafe extern "C" fn run_known(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `thread_create` made the box for this one thread.
    let Routine { start, argument, exit } = unsafe { take(routine) };
    // SAFETY: that is what the caller of pthread_create asked for.
    unsafe { idle::run(start, argument, &exit) }
}

/// The bottom of a thread that no host knows. The image can never be unmapped after one has run, since it ends in here.
unsafe extern "C" fn run_unknown(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `thread_create` made the box for this one thread.
    let Routine { start, argument, .. } = unsafe { take(routine) };
    // SAFETY: that is what the caller of pthread_create asked for.
    let result = unsafe { idle::run_unknown(start, argument) };
    detach_thread();
    result
}
