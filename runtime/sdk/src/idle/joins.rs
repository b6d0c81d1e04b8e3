//! Replaces the functions of libc that wait for a thread.
//!
//! A signal does not wake a thread that libc has wait for another one, which would have to end first. So it
//! waits here until the other one has left its functions, and libc has little left to wait for.
//!
//! Threads that end early stay with libc until somebody joins them: it is told that nobody will.

use std::{
    ffi::{c_int, c_void},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use libc::{pthread_attr_t, pthread_t};

use super::{cancel::wait_cancellable, sleep_while, wait, wake};
use crate::sys::libc_fn::libc_fn;

/// Whether a thread has left its functions: 1 from then on, and whoever waits for that is woken.
#[derive(Default)]
pub(crate) struct ExitFlag(AtomicU32);

/// Threads that somebody can join. One that was joined, or detached, past this may still be here; then libc
/// alone says what it is.
static JOINABLE: Mutex<Vec<(pthread_t, Arc<ExitFlag>)>> = Mutex::new(Vec::new());

/// Threads that have ended early and that nobody has joined: libc keeps their stacks until somebody does.
static UNJOINED: Mutex<Vec<pthread_t>> = Mutex::new(Vec::new());

unsafe extern "C" {
    /// Of libc.
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

/// This thread has been made, with these attributes: somebody may join it.
///
/// # Safety
///
/// The attributes are null, or initialized.
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
        // One of the same identity has ended.
        joinable.retain(|(other, _)| *other != thread);
        joinable.push((thread, exit));
    }
}

/// The calling thread has ended early. If somebody could join it, libc keeps it until then.
pub(super) fn note_unjoined() {
    let mut state = libc::PTHREAD_CREATE_DETACHED;
    // SAFETY: all zero is a place for attributes, which are written for the calling thread, read, and given
    // back.
    unsafe {
        let mut attributes: pthread_attr_t = mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) == 0 {
            pthread_attr_getdetachstate(&attributes, &mut state);
            libc::pthread_attr_destroy(&mut attributes);
        }
    }
    if state == libc::PTHREAD_CREATE_JOINABLE {
        // SAFETY: it only asks.
        let this = unsafe { libc::pthread_self() };
        UNJOINED.lock().unwrap_or_else(PoisonError::into_inner).push(this);
    }
}

fn joinable() -> MutexGuard<'static, Vec<(pthread_t, Arc<ExitFlag>)>> {
    JOINABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the thread has left its functions, if it is of this image.
fn wait_for_exit(thread: pthread_t) {
    let exit = joinable().iter().find(|(of, _)| *of == thread).map(|(_, exit)| exit.clone());
    if let Some(exit) = exit {
        exit.wait();
    }
}

/// Somebody has joined it, or nobody will.
fn joined(thread: pthread_t) {
    joinable().retain(|(joinable, _)| *joinable != thread);
    UNJOINED.lock().unwrap_or_else(PoisonError::into_inner).retain(|unjoined| *unjoined != thread);
}

/// Replaces `pthread_join`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    let join = libc_fn!(c"pthread_join" as fn(pthread_t, *mut *mut c_void) -> c_int);
    wait_for_exit(thread);
    // Noted while it waits: the calling thread may be ended itself, and never come back.
    wait(|| {
        // SAFETY: our caller's promise, passed on.
        let error = unsafe { join(thread, result) };
        if error == 0 {
            joined(thread);
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
    let join = libc_fn!(c"thrd_join" as fn(pthread_t, *mut c_int) -> c_int);
    wait_for_exit(thread);
    // As above.
    wait(|| {
        // SAFETY: our caller's promise, passed on.
        let error = unsafe { join(thread, result) };
        if error == 0 {
            joined(thread);
        }
        error
    })
}

/// Replaces `pthread_detach`, and for `thrd_detach` of C11, whose only result that is no error is the
/// same.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_detach(thread: pthread_t) -> c_int {
    joined(thread);
    let detach = libc_fn!(c"pthread_detach" as fn(pthread_t) -> c_int);
    // SAFETY: our caller's promise, passed on.
    unsafe { detach(thread) }
}

/// Gives libc back what it keeps of threads that ended early and that nobody has joined. Nobody can join them
/// any more.
pub(crate) fn detach_unjoined() {
    let unjoined = mem::take(&mut *UNJOINED.lock().unwrap_or_else(PoisonError::into_inner));
    for thread in unjoined {
        // SAFETY: it can be joined, and was not: `joined` takes it off the list.
        unsafe { pthread_detach(thread) };
    }
}

// === impl ExitFlag ===

impl ExitFlag {
    /// The thread has left its functions.
    pub(super) fn note(&self) {
        self.0.store(1, SeqCst);
        wake(self.0.as_ptr());
    }

    fn wait(&self) {
        while self.0.load(SeqCst) == 0 {
            wait_cancellable(|| sleep_while(self.0.as_ptr(), 0));
        }
    }
}
