//! A probe: loads, replaces and unloads a module in a separate process, and finds what stays.
//! A line belongs here if it runs, measures or reports a probe.
//! Never use `cli` or `commands` here.

pub(crate) mod call;
mod callers;
pub(crate) mod child;
mod growth;
pub(crate) mod parent;
pub(crate) mod plan;
pub(crate) mod render;
mod report;
mod snapshot;
