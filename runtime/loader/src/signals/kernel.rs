//! Queries the kernel's signal actions.

use std::ptr;

use libc::c_int;

use crate::crash::actions::default_action;

/// The address of the handler of a signal; `None` for a signal that libc reserves.
pub(super) fn kernel_handler(signal: c_int) -> Option<usize> {
    let mut action = default_action();
    // SAFETY: it only queries, and `action` is writable.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    (error == 0).then_some(action.sa_sigaction)
}
