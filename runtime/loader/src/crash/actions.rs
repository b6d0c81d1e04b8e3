//! What is done at a fatal signal, now and before the runtime's handler.

use std::{mem, ptr, sync::OnceLock};

use libc::c_int;

use crate::crash::fatal::SIGNALS;

/// What was there before this handler, in the order of [`SIGNALS`].
pub(super) static DISPLACED: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// The [`SIGNALS`], as a set.
pub(super) fn all_signals() -> libc::sigset_t {
    // SAFETY: all zero is the empty set.
    let mut set = unsafe { mem::zeroed() };
    for (signal, _) in SIGNALS {
        // SAFETY: the set is initialized.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

/// What is done now at a signal. Safe in a signal handler.
pub(super) fn current(signal: c_int) -> libc::sigaction {
    let mut action = default_action();
    // SAFETY: it only asks, and `action` can be written. Where it fails, `action` stays the default.
    unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    action
}

/// The default action.
pub(crate) fn default_action() -> libc::sigaction {
    // SAFETY: all its fields may be zero.
    unsafe { mem::zeroed() }
}

/// Whether this process has the handler.
pub(crate) fn is_installed() -> bool {
    DISPLACED.get().is_some()
}

/// Where the handler is that this one has displaced, and hands the signal over to.
pub(crate) fn displaced(signal: c_int) -> Option<usize> {
    action_displaced(signal).map(|action| action.sa_sigaction)
}

pub(super) fn action_displaced(signal: c_int) -> Option<&'static libc::sigaction> {
    let at = SIGNALS.iter().position(|(number, _)| *number == signal)?;
    DISPLACED.get()?.get(at)
}
