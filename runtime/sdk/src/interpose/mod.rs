//! Stand-ins for functions of libc, so that what a thread or the process keeps of this image is known.
//! A line belongs here if a hidden symbol leads to it, or if it undoes what went through one. Functions that wait are in
//! `idle`.
//! It must never use `export`, `testing`, `api` or `log`.

pub(crate) mod c_threads;
mod cpp_memory;
pub(crate) mod descriptors;
pub(crate) mod environment;
pub(crate) mod exit;
pub(crate) mod mappings;
pub(crate) mod output;
pub(crate) mod release;
pub(crate) mod signals;
pub(crate) mod thread_locals;
pub(crate) mod threads;
pub(crate) mod timers;
