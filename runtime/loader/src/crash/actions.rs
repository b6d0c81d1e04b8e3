//! The actions for the fatal signals: the current ones, and those that the runtime's handler replaced.

use std::{mem, ptr, sync::OnceLock};

use libc::c_int;

use crate::crash::fatal::SIGNALS;

/// The actions that the handler replaced, in the order of [`SIGNALS`].
pub(super) static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

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

/// The current action for a signal. Async-signal-safe.
pub(super) fn current_action(signal: c_int) -> libc::sigaction {
    let mut action = default_action();
    // SAFETY: it only queries, and `action` is writable. If it fails, `action` stays the default.
    unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    action
}

/// The default action.
pub(crate) fn default_action() -> libc::sigaction {
    // SAFETY: all of its fields may be zero.
    unsafe { mem::zeroed() }
}

/// Whether the handler is installed in this process.
pub(crate) fn is_installed() -> bool {
    PREVIOUS.get().is_some()
}

/// The address of the handler that this one replaced, and to which it forwards the signal.
pub(crate) fn previous_handler(signal: c_int) -> Option<usize> {
    previous_action(signal).map(|action| action.sa_sigaction)
}

pub(super) fn previous_action(signal: c_int) -> Option<&'static libc::sigaction> {
    let at = SIGNALS.iter().position(|(number, _)| *number == signal)?;
    PREVIOUS.get()?.get(at)
}
