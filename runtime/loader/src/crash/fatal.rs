//! The fatal signals.

use libc::c_int;

/// Whether this signal means that code has gone wrong. Safe in a signal handler.
pub(crate) fn is_fatal(signal: c_int) -> bool {
    SIGNALS.iter().any(|(number, _)| *number == signal)
}

/// The signals that mean that code has gone wrong, and what they are called.
pub(super) const SIGNALS: [(c_int, &str); 7] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS, "SIGSYS"),
];
