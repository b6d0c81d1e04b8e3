//! Replaces the functions of libc that wait for a thread.
//!
//! A signal does not wake a thread that waits in libc's `pthread_join`. So the thread first waits here, until
//! the other thread has left its functions. Only the short rest of the wait is in libc.
//!
//! libc keeps a thread that was ended early until another thread joins it. Those that were not joined are
//! detached here.

use std::{
    ffi::{c_int, c_void},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use libc::{pthread_attr_t, pthread_t};

use crate::{
    idle::{
        cancel::wait_cancellable,
        futex::{futex_wait, futex_wake},
        wait::wait,
    },
    sys::libc_fn::libc_fn,
};

/// Whether a thread has left its functions: 0, and 1 from then on.
#[derive(Default)]
pub(crate) struct ExitFlag(AtomicU32);

/// Threads that can be joined. A thread that was joined or detached without these replacements may still be
/// listed; libc then decides what the call does.
static JOINABLE: Mutex<Vec<(pthread_t, Arc<ExitFlag>)>> = Mutex::new(Vec::new());

/// Threads that were ended early and not joined. libc keeps their stacks until they are joined or detached.
static UNJOINED: Mutex<Vec<pthread_t>> = Mutex::new(Vec::new());

unsafe extern "C" {
    /// Part of libc.
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

/// Records a new thread, if its attributes allow to join it.
///
/// # Safety
///
/// The attributes must be null or initialized.
pub(crate) unsafe fn record_joinable(
    thread: pthread_t,
    attributes: *const pthread_attr_t,
    exit: Arc<ExitFlag>,
) {
    let mut state = libc::PTHREAD_CREATE_JOINABLE;
    if !attributes.is_null() {
        // SAFETY: our caller's promise.
        unsafe { pthread_attr_getdetachstate(attributes, &mut state) };
    }
    if state == libc::PTHREAD_CREATE_JOINABLE {
        let mut joinable = joinable();
        // An entry with the same pthread_t is of a thread that has ended.
        joinable.retain(|(other, _)| *other != thread);
        joinable.push((thread, exit));
    }
}

/// Records that the calling thread was ended early, if it can be joined.
pub(super) fn record_unjoined() {
    let mut state = libc::PTHREAD_CREATE_DETACHED;
    // SAFETY: zeroed attributes can be written. They are written for the calling thread, then read and
    // destroyed.
    unsafe {
        let mut attributes: pthread_attr_t = mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) == 0 {
            pthread_attr_getdetachstate(&attributes, &mut state);
            libc::pthread_attr_destroy(&mut attributes);
        }
    }
    if state == libc::PTHREAD_CREATE_JOINABLE {
        // SAFETY: it only returns a number.
        let this = unsafe { libc::pthread_self() };
        UNJOINED.lock().unwrap_or_else(PoisonError::into_inner).push(this);
    }
}

fn joinable() -> MutexGuard<'static, Vec<(pthread_t, Arc<ExitFlag>)>> {
    JOINABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the thread has left its functions, if it is a thread of this image.
fn wait_for_exit(thread: pthread_t) {
    let exit = joinable().iter().find(|(of, _)| *of == thread).map(|(_, exit)| exit.clone());
    if let Some(exit) = exit {
        exit.wait();
    }
}

/// Removes a thread that was joined or detached from the lists.
fn remove(thread: pthread_t) {
    joinable().retain(|(joinable, _)| *joinable != thread);
    UNJOINED.lock().unwrap_or_else(PoisonError::into_inner).retain(|unjoined| *unjoined != thread);
}

/// Replaces `pthread_join`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    let original = libc_fn!(c"pthread_join" as fn(pthread_t, *mut *mut c_void) -> c_int);
    wait_for_exit(thread);
    // The removal is part of the wait, because the calling thread may be ended in it and never return.
    wait(|| {
        // SAFETY: our caller's promise, passed on.
        let error = unsafe { original(thread, result) };
        if error == 0 {
            remove(thread);
        }
        error
    })
}

/// Replaces `thrd_join` of C11.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int {
    let original = libc_fn!(c"thrd_join" as fn(pthread_t, *mut c_int) -> c_int);
    wait_for_exit(thread);
    // As in `pthread_join`.
    wait(|| {
        // SAFETY: our caller's promise, passed on.
        let error = unsafe { original(thread, result) };
        if error == 0 {
            remove(thread);
        }
        error
    })
}

/// Replaces `pthread_detach`, and `thrd_detach` of C11, which returns the same value on success.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_detach(thread: pthread_t) -> c_int {
    remove(thread);
    let original = libc_fn!(c"pthread_detach" as fn(pthread_t) -> c_int);
    // SAFETY: our caller's promise, passed on.
    unsafe { original(thread) }
}

/// Detaches all threads that were ended early and not joined, so that libc frees their stacks. They can no
/// longer be joined.
pub(crate) fn detach_unjoined() {
    let unjoined = mem::take(&mut *UNJOINED.lock().unwrap_or_else(PoisonError::into_inner));
    for thread in unjoined {
        // SAFETY: the thread can be joined, and was not: `remove` takes joined threads off the list.
        unsafe { pthread_detach(thread) };
    }
}

// === impl ExitFlag ===

impl ExitFlag {
    /// Records that the thread has left its functions, and wakes the threads that wait for that.
    pub(super) fn set(&self) {
        self.0.store(1, SeqCst);
        futex_wake(self.0.as_ptr());
    }

    fn wait(&self) {
        while self.0.load(SeqCst) == 0 {
            wait_cancellable(|| futex_wait(self.0.as_ptr(), 0));
        }
    }
}
