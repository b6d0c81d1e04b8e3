//! The host's handler for each signal.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use libc::{SIG_DFL, c_int};

/// One more than the highest signal of Linux.
pub(super) const SIGNALS_MAX: usize = 65;

/// The host's handler for each signal. SeqCst for simplicity: nothing depends on the order, and speed does
/// not matter.
pub(super) static HOST_HANDLERS: [AtomicUsize; SIGNALS_MAX] =
    [const { AtomicUsize::new(SIG_DFL) }; SIGNALS_MAX];

/// The signals of `setitimer` and `alarm`.
pub(super) const TIMER_SIGNALS: [c_int; 3] = [libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF];

/// The host's handler for a signal that a module handles. Async-signal-safe.
pub(super) fn host_handler(signal: c_int) -> usize {
    usize::try_from(signal)
        .ok()
        .and_then(|at| HOST_HANDLERS.get(at))
        .map_or(SIG_DFL, |host| host.load(SeqCst))
}
