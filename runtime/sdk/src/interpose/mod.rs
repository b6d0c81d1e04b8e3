//! Replaces functions of libc, so that the runtime knows which resources belong to this image.
//! Put a line here if it replaces such a function or cleans up after one. Those that wait are in `idle`.
//! This room must never use `export`, `testing`, `api` or `log`.

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
