//! What goes to the host's log: records of `tracing` and `log`, and panics.
//! A line belongs here if it hands the host a record or a panic, or explains one.
//! It must never use `export`, `testing`, `api`, `interpose` or `idle`.

mod backtrace;
mod events;
mod fields;
pub(crate) mod own_logger;
pub(crate) mod panic_hook;
mod panic_report;
pub(crate) mod panics;
mod records;
