//! Replaces the functions of libc that wait for a condition.
//!
//! A signal does not end such a wait: libc continues it. So the condition is recorded with the thread, and
//! [`end_idle_threads`](super::end_idle_threads) wakes all threads that wait for it. Each of them then holds
//! the mutex, for which the next one waits, so an ending thread unlocks it first.

use std::{ffi::c_int, ptr};

use libc::{pthread_cond_t, pthread_mutex_t, timespec};

use crate::{
    idle::{
        thread::{Thread, current},
        wait::wait,
    },
    sys::libc_fn::libc_fn,
};

/// The value of `thrd_error` in glibc.
const C_ERROR: c_int = 2;
/// The value of `thrd_timedout` in glibc.
const C_TIMED_OUT: c_int = 4;

/// Runs `call`, which waits for this condition.
fn wait_for(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let Some(thread) = current() else { return call() };
    thread.record_condition(condition, mutex);
    let _guard = ConditionGuard(thread);
    wait(call)
}

/// Removes the recorded condition of a thread on drop.
struct ConditionGuard(&'static Thread);

impl Drop for ConditionGuard {
    fn drop(&mut self) {
        self.0.record_condition(ptr::null_mut(), ptr::null_mut());
    }
}

/// Replaces `pthread_cond_wait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    let original = libc_fn!(c"pthread_cond_wait" as fn(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int);
    // SAFETY: our caller's promise, passed on.
    wait_for(condition, mutex, || unsafe { original(condition, mutex) })
}

/// Replaces `pthread_cond_timedwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    let original = libc_fn!(
        c"pthread_cond_timedwait" as fn(*mut pthread_cond_t, *mut pthread_mutex_t, *const timespec) -> c_int
    );
    // SAFETY: our caller's promise, passed on.
    wait_for(condition, mutex, || unsafe { original(condition, mutex, time) })
}

/// Replaces `pthread_cond_clockwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn pthread_cond_clockwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    clock: c_int,
    time: *const timespec,
) -> c_int {
    let original = libc_fn!(
        c"pthread_cond_clockwait"
            as fn(*mut pthread_cond_t, *mut pthread_mutex_t, c_int, *const timespec) -> c_int
    );
    // SAFETY: our caller's promise, passed on.
    wait_for(condition, mutex, || unsafe { original(condition, mutex, clock, time) })
}

/// Replaces `cnd_wait` of C11. In glibc, its types are those of POSIX.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn cnd_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: our caller's promise, passed on.
    c_result(unsafe { pthread_cond_wait(condition, mutex) })
}

/// Replaces `cnd_timedwait` of C11.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn cnd_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: our caller's promise, passed on.
    c_result(unsafe { pthread_cond_timedwait(condition, mutex, time) })
}

fn c_result(error: c_int) -> c_int {
    match error {
        0 => 0,
        libc::ETIMEDOUT => C_TIMED_OUT,
        _ => C_ERROR,
    }
}
