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
