//! All tests that need a real module file, a real socket or a real process: a file per behaviour.

#![forbid(unsafe_code)]

mod drain;
mod layout;
mod lifecycle;
mod logging;
mod panics;
mod purge;
mod refusals;
mod rollback;
mod storm;
mod threads;
mod tls;
mod watch;
