//! Policies over versions: rollback, trial, confirm, delete, sticky, block.
//! A line belongs here if it decides, without a new file, which version is current or may be loaded.
//! Never use `watch` or `recovery` here.

pub(crate) mod block;
pub(crate) mod delete;
pub(crate) mod rollback;
pub(crate) mod sticky;
pub(crate) mod trial;
