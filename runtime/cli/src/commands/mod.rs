//! The commands: one file each, with its options, the request that it sends, and its text.
//! A line belongs here if only one command needs it.
//! Never import from another command; what two commands share is in a room below.

pub(crate) mod blocked;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod confirm;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod ls;
pub(crate) mod new;
pub(crate) mod pins;
pub(crate) mod probe;
pub(crate) mod purge;
pub(crate) mod rollback;
pub(crate) mod serve;
pub(crate) mod soft_purge;
pub(crate) mod status;
pub(crate) mod stick;
pub(crate) mod unblock;
pub(crate) mod unstick;
