//! Replaces the functions of libc that wait for a semaphore. A signal interrupts such a wait.

use std::ffi::{c_int, c_void};

use libc::timespec;

use crate::{idle::wait::wait, sys::libc_fn::libc_fn};

/// Calls the original function of libc, and records that the thread waits.
macro_rules! wait_in_libc {
    ($name:literal as fn($($type:ty),*) -> $result:ty, $($argument:expr),*) => {{
        let function = libc_fn!($name as fn($($type),*) -> $result);
        // SAFETY: our caller's promise, passed on.
        wait(|| unsafe { function($($argument),*) })
    }};
}

/// Replaces `sem_wait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn sem_wait(semaphore: *mut c_void) -> c_int {
    wait_in_libc!(c"sem_wait" as fn(*mut c_void) -> c_int, semaphore)
}

/// Replaces `sem_timedwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn sem_timedwait(semaphore: *mut c_void, time: *const timespec) -> c_int {
    wait_in_libc!(c"sem_timedwait" as fn(*mut c_void, *const timespec) -> c_int, semaphore, time)
}
