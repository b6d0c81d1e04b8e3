//! Types that a signal handler can read without a lock.
//! A line belongs here if it must be async-signal-safe and knows nothing about modules.
//! Never allocate, lock or wait in a function that a handler calls.

pub(crate) mod handler;
pub(crate) mod slot_list;
