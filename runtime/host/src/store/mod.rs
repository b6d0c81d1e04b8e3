//! What outlives the process: the ledger, the event log, idempotency keys and the state directory.
//! A line belongs here if it reads or writes one of them.
//! Never use `load`, `purge` or `rollout` here.

pub(crate) mod event_log;
pub(crate) mod idempotency;
pub(crate) mod ledger;
pub(crate) mod restart_targets;
pub(crate) mod state_dir;
