//! A signal that only interrupts a system call of a thread.

use std::{ptr, sync::OnceLock};

use libc::{SIG_DFL, c_int, c_void, siginfo_t, sigset_t};

use crate::{crash::actions::default_action, signal_safe::handler::Handler, signals::kernel::kernel_handler};

/// The address of [`wake`] for the kernel.
static WAKE: Handler = Handler::new(wake);

/// Does nothing. It is host code, so it may run at any time.
extern "C" fn wake(_: c_int, _: *mut siginfo_t, _: *mut c_void) {}

/// The signal, after it was installed; `None` if no signal was free.
static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();

/// The signal that wakes threads that must end. The first call installs it: the highest real-time signal
/// without a handler. `None` if there is none. Its handler does nothing.
pub fn wake_signal() -> Option<c_int> {
    let signal = *SIGNAL.get_or_init(|| {
        let is_free = |signal: &c_int| kernel_handler(*signal) == Some(SIG_DFL);
        let signal = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev().find(is_free)?;
        let mut action = default_action();
        action.sa_sigaction = WAKE.address();
        // Without SA_RESTART, so it interrupts a system call.
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler does nothing.
        let error = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
        (error == 0).then_some(signal)
    });
    // Another handler may have been installed since.
    signal.filter(|signal| kernel_handler(*signal) == Some(WAKE.address()))
}

/// Removes the signal from the mask of a module's handler, because the handler may wait on a thread that must
/// end. Async-signal-safe.
pub(super) fn unblock_wake_signal(mask: &mut sigset_t) {
    if let Some(Some(signal)) = SIGNAL.get() {
        // SAFETY: the set is initialized.
        unsafe { libc::sigdelset(mask, *signal) };
    }
}
