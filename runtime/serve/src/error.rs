//! What can go wrong with the server as a whole. What goes wrong with one request is an answer, and a line in the log.

use std::{io, time::Duration};

/// Why the server could not begin, or did not end as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address, as it was given.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The listener that was given cannot be used.
    #[error("using the listener: {source}")]
    Listener {
        /// The system's reason.
        source: io::Error,
    },
    /// Two routes claim the same paths.
    #[error("the prefix {prefix:?} is given to {first:?} and to {second:?}")]
    DuplicateRoute {
        /// The prefix.
        prefix: String,
        /// The module that has it.
        first: String,
        /// The module that is to have it as well.
        second: String,
    },
    /// A thread of the pool could not be started.
    #[error("starting the thread {name}: {source}")]
    Thread {
        /// The thread's name.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The server was to stop, and did not come to an end in time.
    #[error(
        "not drained within {} s: {connections} connections were cut, {calls} calls are still inside",
        deadline.as_secs_f64()
    )]
    Drain {
        /// How long it had.
        deadline: Duration,
        /// Connections that had something under way.
        connections: u64,
        /// Calls that have not returned. Their threads are left behind.
        calls: u64,
    },
}
