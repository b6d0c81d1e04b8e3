//! Replaces the functions of libc with which a thread ends itself or cancels another one.
//!
//! libc unwinds the thread's functions, up to the first function of this image ([`abandon`](super::abandon)).
//! Cleanup handlers and C++ destructors run, and the thread then ends like one that has returned. libc does
//! not know about waits that bypass it here, so these check themselves whether the thread was cancelled.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    ptr,
    sync::atomic::{Ordering::SeqCst, fence},
};

use libc::{pthread_t, timespec};

use crate::{
    idle::{
        masks,
        thread::{current, threads},
        wait::wait,
    },
    sys::{libc_fn::libc_fn, syscall::syscall},
};

/// The maximum number of signals to a cancelled thread. More than one may be needed, because the thread may
/// enter its system call after the signal.
const WAKES_MAX: u32 = 100;

/// The time between two signals.
const WAKE_INTERVAL: timespec = timespec { tv_sec: 0, tv_nsec: 1_000_000 };

unsafe extern "C-unwind" {
    /// Part of libc.
    fn pthread_testcancel();
    /// As above.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

thread_local! {
    /// The argument with which the calling thread has called `pthread_exit`. Without a destructor.
    static EXIT_RESULT: Cell<Option<*mut c_void>> = const { Cell::new(None) };
}

/// As [`wait`], for a function that is a cancellation point in POSIX: a thread of this image that was
/// cancelled ends.
pub(crate) fn wait_cancellable<R>(call: impl FnOnce() -> R) -> R {
    if current().is_none() {
        return call();
    }
    let result = wait(|| {
        // The thread that cancels this one checks afterwards whether this one waits. With the fence, either
        // that check sees the wait and wakes this thread, or this thread sees the cancellation here.
        fence(SeqCst);
        end_if_cancelled();
        call()
    });
    end_if_cancelled();
    result
}

/// Ends the calling thread if it was cancelled and has not disabled cancellation. Preserves `errno`.
fn end_if_cancelled() {
    // SAFETY: it has no preconditions, and our callers can be unwound.
    unsafe { pthread_testcancel() };
}

/// To be called when the calling thread has left its functions. Disables cancellation, so that the
/// destructors of thread-locals run to completion. Returns the argument of `pthread_exit`, if the thread has
/// called it.
pub(super) fn end() -> Option<*mut c_void> {
    /// The value of `PTHREAD_CANCEL_DISABLE` in glibc.
    const DISABLE: c_int = 1;
    // SAFETY: it only stores a number; the pointer for the previous state may be null.
    unsafe { pthread_setcancelstate(DISABLE, ptr::null_mut()) };
    EXIT_RESULT.take()
}

/// Replaces `pthread_exit`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_exit(result: *mut c_void) -> ! {
    EXIT_RESULT.set(Some(result));
    let exit = libc_fn!(c"pthread_exit" as fn(*mut c_void) -> !);
    // SAFETY: our caller's promise, passed on.
    unsafe { exit(result) }
}

/// Replaces `thrd_exit` of C11.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn thrd_exit(result: c_int) -> ! {
    // Sign-extended, as glibc passes it to `thrd_join`.
    // SAFETY: our caller's promise, passed on.
    unsafe { pthread_exit(ptr::without_provenance_mut(result as isize as usize)) }
}

/// Replaces `pthread_cancel`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cancel(thread: pthread_t) -> c_int {
    let cancel = libc_fn!(c"pthread_cancel" as fn(pthread_t) -> c_int);
    // SAFETY: our caller's promise, passed on.
    let error = unsafe { cancel(thread) };
    if error == 0 {
        wake_from_wait(thread);
    }
    error
}

/// Wakes a thread of this image, if it waits, so that it checks whether it was cancelled.
fn wake_from_wait(pthread: pthread_t) {
    let Some(signal) = masks::wake_signal() else { return };
    let find = || threads().iter().find(|thread| thread.pthread == pthread).cloned();
    let Some(thread) = find() else { return };
    let wait_count = thread.wait_count.load(SeqCst);
    for _ in 0..WAKES_MAX {
        // Checked with the list locked, so that the thread exists until it has been signalled.
        let threads = threads();
        let exists = threads.iter().any(|other| ptr::eq(&**other, &*thread));
        if !exists || !thread.state.is_waiting() || thread.wait_count.load(SeqCst) != wait_count {
            return;
        }
        syscall!(SYS_tgkill, std::process::id(), thread.tid, signal);
        drop(threads);
        syscall!(SYS_nanosleep, ptr::from_ref(&WAKE_INTERVAL), ptr::null::<timespec>());
    }
}
