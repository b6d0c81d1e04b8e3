//! Crash reports: when the process dies of a fatal signal, or a module ends it with `exit`, a line in a file
//! names the module. A line belongs here if it attributes the end of the process to an image, or writes or
//! reads a report of it. Never use `signals` or a room above it.
//!
//! # The mechanism
//!
//! Each image has a row in a [table] of the process, from before its first constructor runs until the
//! dynamic linker's list no longer has it. A handler of the fatal signals ([`fatal`]) looks up the faulting
//! address in the table, writes a line ([`mod@line`]) to the files of the runtimes that requested reports
//! ([`files`]), and forwards the signal to the action that it replaced ([`handler`]). The next process reads
//! the lines ([`reports`]).
//!
//! A signal handler must not wait, allocate or lock, because the interrupted thread may hold what it needs.
//! So the table is read with sequence numbers and without a lock, and the line is written into static memory
//! ([`report_lock`]). The names of functions are found later, by a reader that has the file ([`symbol`]). The
//! report of an `exit` ([`exit`]) is written in the same way.
//!
//! Several threads may crash at once. Each waits for the report lock, and then until the others have
//! finished, but at most one second for each: nothing here keeps a dying process alive. A fault in the
//! handler itself ends the process, because the signals are blocked there.

pub(crate) mod actions;
pub(crate) mod alternate_stack;
pub(crate) mod attribute;
pub(crate) mod entry;
pub(crate) mod exit;
pub(crate) mod fatal;
pub(crate) mod files;
pub(crate) mod handler;
pub(crate) mod install;
pub(crate) mod line;
pub(crate) mod memory;
pub(crate) mod report;
pub(crate) mod report_lock;
pub(crate) mod reports;
pub(crate) mod slot;
pub(crate) mod symbol;
pub(crate) mod table;
pub(crate) mod unmapped;
