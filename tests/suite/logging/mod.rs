//! Logs and panics of modules, as the host gets them.

mod capture;
mod loggers;
mod panic_hooks;
mod records;

pub(crate) use capture::Capture;
