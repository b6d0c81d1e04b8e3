//! Replaces the functions of libc that wait for a signal.
//!
//! A thread that waits for the wake signal itself receives it, and ends.

use std::{
    ffi::{c_int, c_void},
    ptr,
};

use libc::{siginfo_t, sigset_t, timespec};

use crate::{
    idle::{cancel::wait_cancellable, masks::Mask},
    sys::syscall::{SIGNAL_SET_BYTES, errno, syscall},
};

/// Replaces `pause`.
pub extern "C-unwind" fn pause() -> c_int {
    let none = ptr::null::<c_void>();
    wait_cancellable(|| syscall!(SYS_ppoll, none, 0, none, none, 0)) as c_int
}

/// Replaces `sigsuspend`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn sigsuspend(mask: *const sigset_t) -> c_int {
    // SAFETY: our caller's promise.
    let mask = unsafe { Mask::new(mask) };
    wait_cancellable(|| syscall!(SYS_rt_sigsuspend, mask.address(), SIGNAL_SET_BYTES)) as c_int
}

/// Replaces `sigwaitinfo`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn sigwaitinfo(set: *const sigset_t, info: *mut siginfo_t) -> c_int {
    // SAFETY: our caller's promise, passed on.
    unsafe { sigtimedwait(set, info, ptr::null()) }
}

/// Replaces `sigtimedwait`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn sigtimedwait(
    set: *const sigset_t,
    info: *mut siginfo_t,
    time: *const timespec,
) -> c_int {
    wait_cancellable(|| syscall!(SYS_rt_sigtimedwait, set, info, time, SIGNAL_SET_BYTES)) as c_int
}

/// Replaces `sigwait`, which returns the error, and which is not interrupted by signals that are not in the
/// set.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C-unwind" fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int {
    let none = ptr::null::<c_void>();
    loop {
        match wait_cancellable(|| syscall!(SYS_rt_sigtimedwait, set, none, none, SIGNAL_SET_BYTES)) {
            -1 if errno() == libc::EINTR => {}
            -1 => return errno(),
            number => {
                // SAFETY: our caller's promise.
                unsafe { signal.write(number as c_int) };
                return 0;
            }
        }
    }
}
