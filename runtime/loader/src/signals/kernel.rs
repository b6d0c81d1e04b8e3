//! What the kernel does at a signal.

use std::ptr;

use libc::c_int;

use crate::crash::actions::default_action;

/// Where the handler of a signal is. None for those that libc keeps for itself.
pub(super) fn kernel_handler(signal: c_int) -> Option<usize> {
    let mut action = default_action();
    // SAFETY: it only asks, and `action` can be written.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    (error == 0).then_some(action.sa_sigaction)
}
