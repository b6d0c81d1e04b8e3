//! Whose code it was: when the process dies of a fatal signal, or a module ends it by `exit`, a line in a file says which module.
//!
//! # The mechanism
//!
//! Each image has a row in a [table](table) of the whole process from before its first constructor runs until the dynamic
//! linker's list says that it has left. A handler of the fatal signals ([`SIGNALS`]) looks the faulting address up in there,
//! writes one line ([`line`]) into the files of those who asked for it ([`files`]), and hands the signal over to whatever
//! was there before it ([`handler`]). The next process reads the lines ([`reports`]).
//!
//! In a signal handler nothing may be waited for, allocated or locked, since the thread may have been interrupted while it
//! held whatever that needs. So the table is read by sequence numbers and not under a lock, the line is made by hand in memory
//! that is there ([`turn`]), and functions are named later, by whoever reads the line and has the file ([`symbol`]). What a module
//! that calls `exit` has written ([`exit`]) is made in the same way.
//!
//! Several threads may crash at once. Each waits for its turn and then for those that wait, but never longer than a second:
//! nothing here keeps a process alive that is to die. A fault in the handler itself ends the process, since the signals
//! are blocked there.

mod alternate;
mod departed;
mod entry;
mod exit;
mod files;
mod find;
mod handler;
mod install;
mod line;
mod report;
mod reports;
mod slot;
mod symbol;
mod table;
mod turn;

use libc::c_int;

pub(crate) use alternate::AlternateStack;
pub(crate) use entry::Entry;
pub(crate) use exit::exiting;
pub(crate) use find::{follows_call, read_memory};
pub use install::CrashReports;
pub(crate) use install::{displaced, is_installed, nothing};
pub use reports::{AttributedBy, CrashReport, clear_reports, read_reports};
pub(crate) use table::{Row, TABLE};

/// Whether this signal means that code has gone wrong. Safe in a signal handler.
pub(crate) fn is_fatal(signal: c_int) -> bool {
    SIGNALS.iter().any(|(number, _)| *number == signal)
}

/// The signals that mean that code has gone wrong, and what they are called.
const SIGNALS: [(c_int, &str); 7] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS, "SIGSYS"),
];
