//! The limits of the server.

use std::{num::NonZero, str::FromStr, thread, time::Duration};

/// Default number of pool threads per processor. Modules are expected to wait for disks and other services.
const WORKERS_PER_CPU: usize = 4;
/// Smallest default size of the pool. On a small machine too, a few slow calls must not stop fast ones.
const WORKERS_MIN: usize = 16;

/// The limits of the server. The defaults suit a service with small requests on one machine.
///
/// Clients can make the server use this much memory: about `connections_max` × (`body_bytes_max` + 256 KiB)
/// with HTTP/1, and `streams_per_connection_max` times the bodies with HTTP/2.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads that call modules, and therefore the most calls at once. A call keeps its thread while it
    /// waits. If all threads are busy, requests queue. At least 1.
    pub worker_threads: usize,
    /// Requests that may wait for a thread. If the queue is full, the response is 503 at once, so a client
    /// can try another server instead of waiting.
    pub queue_length_max: usize,
    /// Open connections. Further ones wait in the system's backlog until one closes. At least 1.
    pub connections_max: usize,
    /// Concurrent HTTP/2 requests on one connection. HTTP/2 announces this limit to the client.
    pub streams_per_connection_max: u32,
    /// Size of a request's target (path and query), in bytes. Past it, the response is 414.
    pub target_bytes_max: usize,
    /// Number of headers of a request. Past it, the response is 431.
    pub header_count_max: usize,
    /// Size of a request's headers, with their names, in bytes. Past it, the response is 431.
    pub header_bytes_max: usize,
    /// Size of a request's body, in bytes. Past it, the response is 413; at once if the request declares its
    /// length.
    pub body_bytes_max: usize,
    /// How long a client may take to send a request's headers, from the moment when the connection is ready
    /// for them. Also how long an HTTP/1 connection may be idle. Past it, the connection is closed.
    pub header_read_timeout: Duration,
    /// How long a client may take to send the body, from the end of the headers. Past it, the response is
    /// 408.
    pub body_read_timeout: Duration,
    /// Which versions of other modules a request sees.
    pub view: View,
    /// How long the server may take to stop. Past it, connections are closed, threads inside calls continue
    /// detached, and [`Server::run`](crate::Server::run) returns [`Error::Drain`](crate::Error::Drain).
    pub drain_deadline: Duration,
}

/// Which versions of other modules a request sees when its module calls them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Each call enters the version that is current at that moment. This has no cost.
    #[default]
    Current,
    /// Each request sees all modules as they were when it started, also in calls from module to module. So it
    /// sees all or none of a set that is released meanwhile. [`Snapshot`](segue::Snapshot) documents the cost
    /// and what stays in memory.
    Snapshot,
}

/// The text is not a [`View`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown view; use \"current\" or \"snapshot\"")]
pub struct ParseViewError;

// === impl View, Config ===

impl FromStr for View {
    type Err = ParseViewError;

    fn from_str(text: &str) -> Result<Self, ParseViewError> {
        match text {
            "current" => Ok(View::Current),
            "snapshot" => Ok(View::Snapshot),
            _ => Err(ParseViewError),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        Config {
            worker_threads: (cpus * WORKERS_PER_CPU).max(WORKERS_MIN),
            queue_length_max: 1024,
            connections_max: 10_000,
            streams_per_connection_max: 128,
            target_bytes_max: 8 * 1024,
            header_count_max: 100,
            header_bytes_max: 32 * 1024,
            body_bytes_max: 1024 * 1024,
            header_read_timeout: Duration::from_secs(60),
            body_read_timeout: Duration::from_secs(30),
            view: View::default(),
            drain_deadline: Duration::from_secs(30),
        }
    }
}
