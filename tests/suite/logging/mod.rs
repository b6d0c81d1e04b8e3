//! What modules log, and how their panics are reported.

mod capture;
mod loggers;
mod panic_hooks;
mod records;

pub(crate) use capture::Capture;
