//! Threads of the runtime and of the host.
//! A line belongs here if it starts a thread, or gives one something to do.
//! Never use any other room here, except `api` and `module/version.rs`.

pub(crate) mod registered;
pub(crate) mod tasks;
pub(crate) mod unregistered;
