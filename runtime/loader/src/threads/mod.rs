//! The threads of a module.
//! A line belongs here if it starts, counts or finds a thread, or reads `/proc` about one.
//! Never use `boundary` or `image` here.

pub(crate) mod describe;
pub(crate) mod started;
pub(crate) mod untracked;
