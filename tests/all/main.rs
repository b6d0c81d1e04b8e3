//! All tests that need a real module file, a real socket or a real process: a file per behaviour.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test, and what it is made of, says what it means by failing")]

mod check;
mod cli;
mod control;
mod crash;
mod demo;
mod drain;
mod foreign;
mod handed_over;
mod hard_purge;
mod holders;
mod http;
mod http2;
mod idle;
mod kill;
mod layout;
mod lifecycle;
mod linker;
mod loggers;
mod logging;
mod marks;
mod modules;
mod new;
mod panic_hooks;
mod panics;
mod places;
mod pools;
mod probe;
mod purge;
mod refusals;
mod releases;
mod rollback;
mod served;
mod storm;
mod threads;
mod tls;
mod typed;
mod watch;

/// The command, as cargo built it for these tests.
const SEGUE: &str = env!("CARGO_BIN_EXE_segue-under-test");
