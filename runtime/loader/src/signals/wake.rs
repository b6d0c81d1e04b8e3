//! A signal that does nothing but wake a thread from a system call.

use std::{ptr, sync::OnceLock};

use libc::{SIG_DFL, c_int};

use super::{handler, nothing};

/// Does nothing. It is code of the host, so it may run at any time.
extern "C" fn wake(_: c_int) {}

/// The signal by which this process wakes threads that are to end, installed the first time: the highest
/// real-time signal that nobody handled then. None if there is none. Its handler does nothing.
pub fn wake_signal() -> Option<c_int> {
    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
    let signal = *SIGNAL.get_or_init(|| {
        let is_free = |signal: &c_int| handler(*signal) == Some(SIG_DFL);
        let signal = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev().find(is_free)?;
        let mut action = nothing();
        action.sa_sigaction = wake as extern "C" fn(c_int) as usize;
        // Without SA_RESTART, a system call ends.
        // SAFETY: the handler does nothing.
        let error = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
        (error == 0).then_some(signal)
    });
    // Somebody else may handle it by now.
    signal.filter(|signal| handler(*signal) == Some(wake as extern "C" fn(c_int) as usize))
}
