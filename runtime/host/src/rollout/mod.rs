//! Policies over versions: rollback, trial, confirm, delete, sticky, block.
//! A line belongs here if it decides which version is current, other than by a new file.
//! Never use `watch` or `recovery` here.

pub(crate) mod block;
pub(crate) mod delete;
pub(crate) mod rollback;
pub(crate) mod sticky;
pub(crate) mod trial;
