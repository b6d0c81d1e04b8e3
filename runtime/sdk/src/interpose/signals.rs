//! Stands in for `sigaction`, `signal` and their relatives: the host keeps the handlers of this image.
//!
//! Crates that chain handlers call the previous one from their own. That one may be code of an older version,
//! which is gone by then. The host calls all handlers itself, and answers with its own action as the previous
//! one.

use std::{
    ffi::{c_int, c_void},
    mem, ptr,
    sync::{Mutex, PoisonError},
};

use libc::sighandler_t;

use crate::{boundary::attached, sys::libc_fn::libc_fn};

/// `sigset` takes it for a handler: the signal is to be blocked. It answers with it if the signal was
/// blocked.
const SIG_HOLD: sighandler_t = 2;

/// What constructors of this image asked for, before the host knew the image.
static PENDING: Mutex<Vec<(c_int, libc::sigaction)>> = Mutex::new(Vec::new());

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
    match attached::host() {
        // SAFETY: the host is valid while code of this image runs; the rest is our caller's promise, handed
        // on.
        Some(host) => unsafe {
            host.vtable.signal_action()(host.context, signal, action.cast(), previous.cast::<c_void>())
        },
        // SAFETY: our caller's promise, handed on.
        None => unsafe { wait_for_host(signal, action, previous) },
    }
}

/// Stands in for `signal`, and for `bsd_signal` and `ssignal`, which are the same in glibc.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: our caller's promise, handed on.
    unsafe { set(signal, handler, libc::SA_RESTART) }
}

/// Stands in for `sysv_signal`: the handler is called once, and the signal is not blocked meanwhile.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn signal_once(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: our caller's promise, handed on.
    unsafe { set(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER) }
}

/// Stands in for `sigset`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn signal_set(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: all zero is the empty set, twice.
    let (mut set_of_it, mut blocked): (libc::sigset_t, libc::sigset_t) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    // SAFETY: the set can be written.
    if unsafe { libc::sigaddset(&mut set_of_it, signal) } != 0 {
        return libc::SIG_ERR;
    }
    let is_hold = handler == SIG_HOLD;
    let before = match is_hold {
        // SAFETY: it only asks.
        true => unsafe { ask(signal) },
        // SAFETY: our caller's promise, handed on.
        false => unsafe { set(signal, handler, 0) },
    };
    let how = if is_hold { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    // SAFETY: both sets are initialized.
    let error = unsafe { libc::pthread_sigmask(how, &set_of_it, &mut blocked) };
    // SAFETY: the set is initialized.
    let was_blocked = error == 0 && unsafe { libc::sigismember(&blocked, signal) } == 1;
    match before {
        libc::SIG_ERR => libc::SIG_ERR,
        _ if was_blocked => SIG_HOLD,
        before => before,
    }
}

/// Stands in for `sigignore`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn signal_ignore(signal: c_int) -> c_int {
    // SAFETY: no code runs for a signal that is ignored.
    match unsafe { set(signal, libc::SIG_IGN, 0) } {
        libc::SIG_ERR => -1,
        _ => 0,
    }
}

/// Has the host know what constructors asked for.
pub(crate) fn install_pending() {
    let pending = mem::take(&mut *PENDING.lock().unwrap_or_else(PoisonError::into_inner));
    for (signal, action) in pending {
        // SAFETY: a constructor asked for it, with these promises. It was told the signal exists.
        unsafe { signal_action(signal, &action, ptr::null_mut()) };
    }
}

/// Sets a handler with these flags, and answers with the one before, or `SIG_ERR`.
unsafe fn set(signal: c_int, handler: sighandler_t, flags: c_int) -> sighandler_t {
    // SAFETY: all fields of both may be zero.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: both can be read and written, and the handler is our caller's promise.
    match unsafe { signal_action(signal, &action, &mut previous) } {
        0 => previous.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// The handler now, or `SIG_ERR`.
unsafe fn ask(signal: c_int) -> sighandler_t {
    // SAFETY: all its fields may be zero.
    let mut now: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: it only asks, and `now` can be written.
    match unsafe { signal_action(signal, ptr::null(), &mut now) } {
        0 => now.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// Keeps an action until the host knows the image. Until then the signal does what it did.
unsafe fn wait_for_host(
    signal: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
) -> c_int {
    // SAFETY: all its fields may be zero.
    let mut now: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: it only asks, and `now` can be written.
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

/// libc's own function, past the hidden symbol of the same name.
unsafe fn system_action(
    signal: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
) -> c_int {
    let act = libc_fn!(c"sigaction" as fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int);
    // SAFETY: our caller's promise, handed on.
    unsafe { act(signal, action, previous) }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(signal_once(libc::SIGURG, handler), libc::SIG_DFL);
            assert_eq!(signal_set(libc::SIGURG, SIG_HOLD), handler);
            assert_eq!(signal_set(libc::SIGURG, libc::SIG_DFL), SIG_HOLD, "it was blocked");
            assert_eq!(signal_ignore(libc::SIGURG), 0);
            assert_eq!(signal(libc::SIGURG, libc::SIG_DFL), libc::SIG_IGN);
            let mut now = mem::zeroed::<libc::sigaction>();
            assert_eq!(signal_action(libc::SIGURG, ptr::null(), &mut now), 0);
            assert_eq!(now.sa_sigaction, libc::SIG_DFL);
        }
    }
}
