//! Replaces the functions of libc that wait for a condition.
//!
//! A signal does not wake such a thread: libc goes on to wait. So the condition is noted with the thread, and
//! [`end_idle_threads`](super::end_idle_threads) has libc wake all who wait for it. Each then has the lock,
//! which the next one waits for, so a thread that is to end gives it back first.

use std::{ffi::c_int, ptr};

use libc::{pthread_cond_t, pthread_mutex_t, timespec};

use super::{Thread, current, wait};
use crate::sys::libc_fn::libc_fn;

/// What functions of C11 answer with, as glibc numbers it.
const C_ERROR: c_int = 2;
/// As above.
const C_TIMED_OUT: c_int = 4;

/// Waits by this call, for this condition.
fn wait_for(
    condition: *mut pthread_cond_t,
    lock: *mut pthread_mutex_t,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let Some(thread) = current() else { return call() };
    thread.note_condition(condition, lock);
    let _noted = Noted(thread);
    wait(call)
}

/// A condition that is noted with a thread, until this is dropped.
struct Noted(&'static Thread);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note_condition(ptr::null_mut(), ptr::null_mut());
    }
}

/// Replaces `pthread_cond_wait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    lock: *mut pthread_mutex_t,
) -> c_int {
    let wait = libc_fn!(c"pthread_cond_wait" as fn(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int);
    // SAFETY: our caller's promise, passed on.
    wait_for(condition, lock, || unsafe { wait(condition, lock) })
}

/// Replaces `pthread_cond_timedwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    lock: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    let wait = libc_fn!(
        c"pthread_cond_timedwait" as fn(*mut pthread_cond_t, *mut pthread_mutex_t, *const timespec) -> c_int
    );
    // SAFETY: our caller's promise, passed on.
    wait_for(condition, lock, || unsafe { wait(condition, lock, time) })
}

/// Replaces `pthread_cond_clockwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cond_clockwait(
    condition: *mut pthread_cond_t,
    lock: *mut pthread_mutex_t,
    clock: c_int,
    time: *const timespec,
) -> c_int {
    let wait = libc_fn!(
        c"pthread_cond_clockwait"
            as fn(*mut pthread_cond_t, *mut pthread_mutex_t, c_int, *const timespec) -> c_int
    );
    // SAFETY: our caller's promise, passed on.
    wait_for(condition, lock, || unsafe { wait(condition, lock, clock, time) })
}

/// Replaces `cnd_wait` of C11, whose types are those of POSIX in glibc.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn cnd_wait(
    condition: *mut pthread_cond_t,
    lock: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: our caller's promise, passed on.
    c_result(unsafe { pthread_cond_wait(condition, lock) })
}

/// Replaces `cnd_timedwait` of C11.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn cnd_timedwait(
    condition: *mut pthread_cond_t,
    lock: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: our caller's promise, passed on.
    c_result(unsafe { pthread_cond_timedwait(condition, lock, time) })
}

fn c_result(error: c_int) -> c_int {
    match error {
        0 => 0,
        libc::ETIMEDOUT => C_TIMED_OUT,
        _ => C_ERROR,
    }
}
