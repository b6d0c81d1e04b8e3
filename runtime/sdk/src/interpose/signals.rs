//! Replaces `sigaction`, `signal` and related functions: the host stores the handlers of this image.
//!
//! Crates that chain handlers call the previous handler from their own. That handler may be code of an older
//! version that has been unloaded in the meantime. So the host calls all handlers itself, and returns its own
//! action as the previous one.

use std::{
    ffi::{c_int, c_void},
    mem, ptr,
    sync::{Mutex, PoisonError},
};

use libc::sighandler_t;

use crate::{boundary::attached, sys::libc_fn::libc_fn};

/// As a handler for `sigset`, it blocks the signal. As a result of `sigset`, it means that the signal was
/// blocked.
const SIG_HOLD: sighandler_t = 2;

/// The actions that constructors of this image set, before the image was attached to the host.
static PENDING: Mutex<Vec<(c_int, libc::sigaction)>> = Mutex::new(Vec::new());

/// Replaces `sigaction`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn sigaction(
    signal: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
) -> c_int {
    match attached::host() {
        // SAFETY: the host is valid while code of this image runs; the rest is our caller's promise, passed
        // on.
        Some(host) => unsafe {
            host.vtable.signal_action()(host.context, signal, action.cast(), previous.cast::<c_void>())
        },
        // SAFETY: our caller's promise, passed on.
        None => unsafe { defer(signal, action, previous) },
    }
}

/// Replaces `signal`, and `bsd_signal` and `ssignal`, which are the same in glibc.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: our caller's promise, passed on.
    unsafe { set_handler(signal, handler, libc::SA_RESTART) }
}

/// Replaces `sysv_signal`: the handler is called once, and the signal is not blocked while it runs.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn sysv_signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: our caller's promise, passed on.
    unsafe { set_handler(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER) }
}

/// Replaces `sigset`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn sigset(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: all zero is an empty set.
    let (mut signal_set, mut blocked): (libc::sigset_t, libc::sigset_t) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    // SAFETY: the set can be written.
    if unsafe { libc::sigaddset(&mut signal_set, signal) } != 0 {
        return libc::SIG_ERR;
    }
    let is_hold = handler == SIG_HOLD;
    let previous = match is_hold {
        // SAFETY: it changes nothing.
        true => unsafe { handler_of(signal) },
        // SAFETY: our caller's promise, passed on.
        false => unsafe { set_handler(signal, handler, 0) },
    };
    let how = if is_hold { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    // SAFETY: both sets are initialized.
    let error = unsafe { libc::pthread_sigmask(how, &signal_set, &mut blocked) };
    // SAFETY: the set is initialized.
    let was_blocked = error == 0 && unsafe { libc::sigismember(&blocked, signal) } == 1;
    match previous {
        libc::SIG_ERR => libc::SIG_ERR,
        _ if was_blocked => SIG_HOLD,
        previous => previous,
    }
}

/// Replaces `sigignore`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn sigignore(signal: c_int) -> c_int {
    // SAFETY: an ignored signal runs no code.
    match unsafe { set_handler(signal, libc::SIG_IGN, 0) } {
        libc::SIG_ERR => -1,
        _ => 0,
    }
}

/// Sets the actions that constructors asked for, now that this image is attached to the host.
pub(crate) fn install_pending() {
    let pending = mem::take(&mut *PENDING.lock().unwrap_or_else(PoisonError::into_inner));
    for (signal, action) in pending {
        // SAFETY: a constructor set this action, with the promises of sigaction. `defer` has checked that the
        // signal exists.
        unsafe { sigaction(signal, &action, ptr::null_mut()) };
    }
}

/// Sets a handler with these flags. Returns the previous handler, or `SIG_ERR`.
unsafe fn set_handler(signal: c_int, handler: sighandler_t, flags: c_int) -> sighandler_t {
    // SAFETY: all fields of both may be zero.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: both can be read and written, and the handler is our caller's promise.
    match unsafe { sigaction(signal, &action, &mut previous) } {
        0 => previous.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// The current handler, or `SIG_ERR`.
unsafe fn handler_of(signal: c_int) -> sighandler_t {
    // SAFETY: all its fields may be zero.
    let mut now: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: it changes no action, and `now` can be written.
    match unsafe { sigaction(signal, ptr::null(), &mut now) } {
        0 => now.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// Stores an action until this image is attached to the host. Until then, the signal keeps its current
/// action.
unsafe fn defer(signal: c_int, action: *const libc::sigaction, previous: *mut libc::sigaction) -> c_int {
    // SAFETY: all its fields may be zero.
    let mut now: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: it changes no action, and `now` can be written.
    let error = unsafe { system_action(signal, ptr::null(), &mut now) };
    if error != 0 {
        return error;
    }
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !previous.is_null() {
        let last = pending.iter().rev().find(|(pending, _)| *pending == signal);
        // SAFETY: our caller's promise.
        unsafe { previous.write(last.map_or(now, |(_, action)| *action)) };
    }
    if !action.is_null() {
        // SAFETY: our caller's promise.
        pending.push((signal, unsafe { *action }));
    }
    0
}

/// The original `sigaction` of libc.
unsafe fn system_action(
    signal: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
) -> c_int {
    let act = libc_fn!(c"sigaction" as fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int);
    // SAFETY: our caller's promise, passed on.
    unsafe { act(signal, action, previous) }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn ignore(_: c_int) {}

    #[test]
    fn signal_returns_the_previous_handler() {
        let handler = ignore as extern "C" fn(c_int) as sighandler_t;
        // SAFETY: the handler does nothing, so it may run at any time.
        unsafe {
            assert_eq!(signal(libc::SIGURG, handler), libc::SIG_DFL);
            assert_eq!(signal(libc::SIGURG, libc::SIG_DFL), handler);
            assert_eq!(signal(-1, libc::SIG_DFL), libc::SIG_ERR);
            assert_eq!(sysv_signal(libc::SIGURG, handler), libc::SIG_DFL);
            assert_eq!(sigset(libc::SIGURG, SIG_HOLD), handler);
            assert_eq!(sigset(libc::SIGURG, libc::SIG_DFL), SIG_HOLD, "the signal was blocked");
            assert_eq!(sigignore(libc::SIGURG), 0);
            assert_eq!(signal(libc::SIGURG, libc::SIG_DFL), libc::SIG_IGN);
            let mut now = mem::zeroed::<libc::sigaction>();
            assert_eq!(sigaction(libc::SIGURG, ptr::null(), &mut now), 0);
            assert_eq!(now.sa_sigaction, libc::SIG_DFL);
        }
    }
}
