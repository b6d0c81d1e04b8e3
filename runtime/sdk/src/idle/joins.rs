//! Threads that end early and that somebody could join: libc keeps their stacks until somebody does.

use std::{
    ffi::{c_int, c_void},
    mem,
    sync::{Mutex, PoisonError},
};

use libc::pthread_t;

use super::wait;
use crate::own_libc::found;

/// Threads that have ended early and that nobody has joined: libc keeps their stacks until somebody does.
static UNJOINED: Mutex<Vec<pthread_t>> = Mutex::new(Vec::new());

unsafe extern "C" {
    /// Of libc.
    fn pthread_attr_getdetachstate(attributes: *const libc::pthread_attr_t, state: *mut c_int) -> c_int;
}

/// The calling thread has ended early. If somebody could join it, libc keeps it until then.
pub(super) fn note_unjoined() {
    let mut state = libc::PTHREAD_CREATE_DETACHED;
    // SAFETY: all zero is a place for attributes, which are written for the calling thread, read, and given
    // back.
    unsafe {
        let mut attributes: libc::pthread_attr_t = mem::zeroed();
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

/// Somebody has joined it, or nobody will.
fn joined(thread: pthread_t) {
    UNJOINED.lock().unwrap_or_else(PoisonError::into_inner).retain(|unjoined| *unjoined != thread);
}

/// Stands in for `pthread_join`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn thread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    let join = found!(c"pthread_join" as fn(pthread_t, *mut *mut c_void) -> c_int);
    // Noted while it waits: the calling thread may be ended itself, and never come back.
    wait(|| {
        // SAFETY: our caller's promise, handed on.
        let error = unsafe { join(thread, result) };
        if error == 0 {
            joined(thread);
        }
        error
    })
}

/// Stands in for `thrd_join` of C11.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn c_thread_join(thread: pthread_t, result: *mut c_int) -> c_int {
    let join = found!(c"thrd_join" as fn(pthread_t, *mut c_int) -> c_int);
    // As above.
    wait(|| {
        // SAFETY: our caller's promise, handed on.
        let error = unsafe { join(thread, result) };
        if error == 0 {
            joined(thread);
        }
        error
    })
}

/// Stands in for `pthread_detach`, and for `thrd_detach` of C11, whose only result that is no error is the
/// same.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn thread_detach(thread: pthread_t) -> c_int {
    joined(thread);
    let detach = found!(c"pthread_detach" as fn(pthread_t) -> c_int);
    // SAFETY: our caller's promise, handed on.
    unsafe { detach(thread) }
}

/// Gives libc back what it keeps of threads that ended early and that nobody has joined. Nobody can join them
/// any more.
pub(crate) fn forget_unjoined() {
    let unjoined = mem::take(&mut *UNJOINED.lock().unwrap_or_else(PoisonError::into_inner));
    for thread in unjoined {
        // SAFETY: it can be joined, and was not: `joined` takes it off the list.
        unsafe { thread_detach(thread) };
    }
}
