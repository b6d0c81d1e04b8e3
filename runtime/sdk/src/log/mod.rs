//! Reports to the host: events of `tracing`, records of `log`, and panics.
//! Put a line here if it hands the host a record or a panic, or explains one to the author.
//! This room must never use `export`, `testing`, `api`, `interpose` or `idle`.

mod backtrace;
mod fields;
mod log_bridge;
pub(crate) mod own_logger;
pub(crate) mod panic_hook;
mod panic_report;
pub(crate) mod panics;
mod tracing_bridge;
