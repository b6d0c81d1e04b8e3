//! Every limit of the server.

use std::{num::NonZero, str::FromStr, thread, time::Duration};

/// Threads per processor that the pool has by default: modules are expected to wait for disks and other services.
const WORKERS_PER_CPU: usize = 4;
/// The pool's least size by default: on a small machine too, some slow calls must not stop the fast ones.
const WORKERS_MIN: usize = 16;

/// Every limit of the server. The defaults suit a service of small requests on one machine.
///
/// Memory that clients can make it hold: about `connections_max` × (`body_bytes_max` + 256 KiB) for HTTP/1, and
/// `streams_per_connection_max` times the bodies for HTTP/2.
#[derive(Clone, Debug)]
pub struct Config {
    /// The threads that call modules, and so the calls that can be inside at once. A call that waits keeps its thread;
    /// when all of them are kept, requests queue. At least 1.
    pub worker_threads: usize,
    /// Requests that may wait for a thread. Where it is full, the next one is answered 503 at once: what would have to
    /// wait too long is better asked elsewhere.
    pub queue_length_max: usize,
    /// Connections that are open at once. Further ones wait in the system's backlog, unanswered, until one closes. At
    /// least 1.
    pub connections_max: usize,
    /// HTTP/2 requests that are under way at once on one connection; a client that knows HTTP/2 keeps to it.
    pub streams_per_connection_max: u32,
    /// The target of a request, path and query, in bytes. Past it: 414.
    pub target_bytes_max: usize,
    /// The headers of a request. Past it: 431.
    pub header_count_max: usize,
    /// The headers of a request with their names, in bytes. Past it: 431.
    pub header_bytes_max: usize,
    /// The body of a request, in bytes. Past it: 413, at once where the request says its length.
    pub body_bytes_max: usize,
    /// From the moment when a connection is ready for a request to the end of its headers, and so also how long an
    /// HTTP/1 connection may idle. Past it the connection is closed.
    pub header_read_timeout: Duration,
    /// From the end of the headers to the end of the body. Past it: 408.
    pub body_read_timeout: Duration,
    /// What a request sees of the other modules that its module calls.
    pub view: View,
    /// From the wish to stop to the last answer. Past it, connections are cut, calls are left behind, and
    /// [`Server::run`](crate::Server::run) says so.
    pub drain_deadline: Duration,
}

/// What a request sees of the other modules that its module calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Each call, from module to module too, enters what is current when it is made. It costs nothing.
    #[default]
    Current,
    /// A request sees all modules as they were when it was begun, in calls from module to module too: of a set that is released
    /// meanwhile, all of it or nothing. What that costs, and what it keeps in memory, is told at [`Snapshot`](segue::Snapshot).
    Snapshot,
}

/// A text that is no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a view is \"current\" or \"snapshot\"")]
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
