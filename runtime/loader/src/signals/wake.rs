//! A signal that does nothing but wake a thread from a system call.

use std::{ptr, sync::OnceLock};

use libc::{SIG_DFL, c_int, c_void, siginfo_t, sigset_t};

use crate::{crash::actions::default_action, signal_safe::handler::Handler, signals::kernel::kernel_handler};

/// [`wake`], as the kernel knows it.
static WAKE: Handler = Handler::new(wake);

/// Does nothing. It is code of the host, so it may run at any time.
extern "C" fn wake(_: c_int, _: *mut siginfo_t, _: *mut c_void) {}

/// The signal, once it was installed; none if there is none.
static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();

/// The signal by which this process wakes threads that are to end, installed the first time: the highest
/// real-time signal that nobody handled then. None if there is none. Its handler does nothing.
pub fn wake_signal() -> Option<c_int> {
    let signal = *SIGNAL.get_or_init(|| {
        let is_free = |signal: &c_int| kernel_handler(*signal) == Some(SIG_DFL);
        let signal = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev().find(is_free)?;
        let mut action = default_action();
        action.sa_sigaction = WAKE.address();
        // Without SA_RESTART, a system call ends.
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler does nothing.
        let error = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
        (error == 0).then_some(signal)
    });
    // Somebody else may handle it by now.
    signal.filter(|signal| kernel_handler(*signal) == Some(WAKE.address()))
}

/// Takes it out of what a handler of a module has blocked: the handler may wait, on a thread that is to end.
/// Safe in a signal handler.
pub(super) fn leave_unblocked(mask: &mut sigset_t) {
    if let Some(Some(signal)) = SIGNAL.get() {
        // SAFETY: the set is initialized.
        unsafe { libc::sigdelset(mask, *signal) };
    }
}
