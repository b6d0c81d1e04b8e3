//! The fatal signals.

use libc::c_int;

/// Whether this signal reports a program error. Async-signal-safe.
pub(crate) fn is_fatal(signal: c_int) -> bool {
    SIGNALS.iter().any(|(number, _)| *number == signal)
}

/// The signals that report a program error, with their names.
pub(super) const SIGNALS: [(c_int, &str); 7] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS, "SIGSYS"),
];
