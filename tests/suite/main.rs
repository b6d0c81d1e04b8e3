//! The tests that need a real module file, a real socket or a real process: a folder or a file per topic.
//! README.md, beside this file, says how to run a part of them, and which of them are Erlang's.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test reports a failed assumption by panicking")]

mod call;
mod cli;
mod control;
mod crash;
mod interfaces;
mod load;
mod logging;
mod otp;
mod purge;
mod recovery;
mod rollout;
mod serve;
mod threads;
mod watch;

/// The command, as cargo built it for these tests.
const SEGUE: &str = env!("CARGO_BIN_EXE_segue-under-test");
