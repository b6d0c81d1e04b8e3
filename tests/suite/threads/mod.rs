//! Threads: those a module starts, and those of the host that call it.

mod callers;
mod idle;
mod pools;
mod pthread_keys;
mod spawned;
mod thread_locals;
