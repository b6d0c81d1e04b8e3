//! The hot path: handles, interface handles and snapshots.
//! A line belongs here if a call runs it.
//! Never use `load`, `store` or `purge` here.

pub(crate) mod handle;
pub(crate) mod interface;
pub(crate) mod snapshot;
