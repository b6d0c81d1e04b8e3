//! Purges: what is waited for, what is asked to end, and what keeps a version in memory.

mod between_phases;
mod deadline;
mod foreign_code;
mod resources;
mod soft_and_waiting;
mod stragglers;
