//! Purges: an old version is drained, detached from the host's threads, stopped and unmapped.
//! A line belongs here if it removes a version from memory, or waits for that.
//! Never use `load` or `rollout` here.

mod command;
pub(crate) mod detach;
pub(crate) mod idle;
pub(crate) mod retire;

pub(crate) use command::{run, soft};
