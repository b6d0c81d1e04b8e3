//! Stands in for `sigaction` and `signal`, so that this image never learns the address of another image's handler.
//!
//! Crates that chain handlers call the previous one from their own. That one may be code of an older version, which is gone
//! by then. The host answers with its own action instead.

use std::{
    ffi::{c_int, c_void},
    mem,
};

use libc::sighandler_t;

use crate::host;

/// Stands in for `sigaction`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn signal_action(
    signal: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
) -> c_int {
    match host::attached() {
        // SAFETY: the host is valid while code of this image runs; the rest is our caller's promise, handed on.
        Some(host) => unsafe {
            host.vtable.signal_action()(host.context, signal, action.cast(), previous.cast::<c_void>())
        },
        // A constructor of this image: the host does not know it yet, and asks the system when the image goes.
        // SAFETY: our caller's promise, handed on.
        None => unsafe { system_action(signal, action, previous) },
    }
}

/// Stands in for `signal`, and for `bsd_signal` and `ssignal`, which are the same in glibc.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: all fields of both may be zero.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the set can be written.
    unsafe { libc::sigaddset(&mut action.sa_mask, signal) };
    // SAFETY: both can be read and written, and the handler is our caller's promise.
    match unsafe { signal_action(signal, &action, &mut previous) } {
        0 => previous.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// libc's own function, past the hidden symbol of the same name.
unsafe fn system_action(
    signal: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
) -> c_int {
    type SignalAction = unsafe extern "C" fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int;
    // SAFETY: that is the type of libc's function of this name.
    let act: SignalAction = unsafe { mem::transmute(crate::interpose::libc_function(c"sigaction")) };
    // SAFETY: our caller's promise, handed on.
    unsafe { act(signal, action, previous) }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    extern "C" fn ignore(_: c_int) {}

    #[test]
    fn signal_answers_with_the_handler_that_was_there() {
        let handler = ignore as extern "C" fn(c_int) as sighandler_t;
        // SAFETY: the handler does nothing, so it may run at any time.
        unsafe {
            assert_eq!(signal(libc::SIGURG, handler), libc::SIG_DFL);
            assert_eq!(signal(libc::SIGURG, libc::SIG_DFL), handler);
            assert_eq!(signal(-1, libc::SIG_DFL), libc::SIG_ERR);
            let mut now = mem::zeroed::<libc::sigaction>();
            assert_eq!(signal_action(libc::SIGURG, ptr::null(), &mut now), 0);
            assert_eq!(now.sa_sigaction, libc::SIG_DFL);
        }
    }
}
