//! Replaces the functions of libc that end a thread from within, or from another one.
//!
//! libc unwinds the thread's functions, and stops at the bottom of this image ([`super::escape`]): cleanup
//! handlers and destructors of C++ run, and then the thread ends like one that has returned. libc does not
//! know of what waits here past it, so that looks by itself whether the thread was cancelled.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    ptr,
    sync::atomic::{Ordering::SeqCst, fence},
};

use libc::{pthread_t, timespec};

use super::{current, masks, threads, wait};
use crate::sys::{libc_fn::libc_fn, syscall::syscall};

/// How often a thread that was cancelled is woken, at most: it may have been just about to wait.
const WAKES_MAX: u32 = 100;

/// How long it is given to notice, each time.
const A_MOMENT: timespec = timespec { tv_sec: 0, tv_nsec: 1_000_000 };

unsafe extern "C-unwind" {
    /// Of libc.
    fn pthread_testcancel();
    /// As above.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

thread_local! {
    /// What the calling thread has given to `pthread_exit`, if it has. Without a destructor.
    static RESULT: Cell<Option<*mut c_void>> = const { Cell::new(None) };
}

/// Waits, in a function that POSIX makes a cancellation point: as [`wait`], and a thread of this image that
/// was cancelled ends.
pub(crate) fn wait_cancellable<R>(call: impl FnOnce() -> R) -> R {
    if current().is_none() {
        return call();
    }
    let result = wait(|| {
        // Whoever cancels it looks afterwards whether it waits: so it is woken, or sees it here.
        fence(SeqCst);
        test();
        call()
    });
    test();
    result
}

/// Ends the calling thread if it was cancelled, unless it has forbidden that. Leaves `errno` alone.
fn test() {
    // SAFETY: it has no conditions, and callers expect that it unwinds.
    unsafe { pthread_testcancel() };
}

/// The calling thread has left its functions. Its thread-locals are destroyed undisturbed. Answers with what
/// it has given to `pthread_exit`, if it has.
pub(super) fn end() -> Option<*mut c_void> {
    /// As glibc numbers it.
    const DISABLE: c_int = 1;
    // SAFETY: it only keeps a number; the one before may be null.
    unsafe { pthread_setcancelstate(DISABLE, ptr::null_mut()) };
    RESULT.take()
}

/// Replaces `pthread_exit`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_exit(result: *mut c_void) -> ! {
    RESULT.set(Some(result));
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
    // The number, with its sign, as glibc hands it to `thrd_join`.
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

/// Has a thread of this image look whether it was cancelled, if it waits.
fn wake_from_wait(identity: pthread_t) {
    let Some(signal) = masks::wake_signal() else { return };
    let find = || threads().iter().find(|thread| thread.identity == identity).cloned();
    let Some(thread) = find() else { return };
    let wait = thread.waits.load(SeqCst);
    for _ in 0..WAKES_MAX {
        // Under the lock, so that it is there still.
        let threads = threads();
        let is_there = threads.iter().any(|it| ptr::eq(&**it, &*thread));
        if !is_there || !thread.state.is_waiting() || thread.waits.load(SeqCst) != wait {
            return;
        }
        syscall!(SYS_tgkill, std::process::id(), thread.tid, signal);
        drop(threads);
        syscall!(SYS_nanosleep, ptr::from_ref(&A_MOMENT), ptr::null::<timespec>());
    }
}
