//! Errors of the server as a whole. An error of one request becomes a response and a line in the log.

use std::{io, time::Duration};

/// Why the server could not start or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as given.
        address: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The server cannot use the given listener.
    #[error("cannot read the address of the listener: {source}")]
    Listener {
        /// The operating system's error.
        source: io::Error,
    },
    /// Two routes have the same prefix.
    #[error("two routes have the prefix {prefix:?}: modules {first:?} and {second:?}")]
    DuplicateRoute {
        /// The prefix.
        prefix: String,
        /// The module of the first route.
        first: String,
        /// The module of the second route.
        second: String,
    },
    /// A thread of the pool could not be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The server did not stop before its deadline.
    #[error(
        "timed out after {} s waiting for the server to drain: \
         closed {connections} connections with requests, {calls} calls are still inside",
        deadline.as_secs_f64()
    )]
    Drain {
        /// The deadline.
        deadline: Duration,
        /// Connections that were closed with a request in progress.
        connections: u64,
        /// Calls that have not returned. Their threads continue to run.
        calls: u64,
    },
}
