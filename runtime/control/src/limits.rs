//! The resources that clients of the socket may use.

use std::time::Duration;

/// The resources that clients of the socket may use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections. The next client waits until one closes. An idle connection is closed after
    /// [`header_read_timeout`](Self::header_read_timeout).
    pub connections_max: usize,
    /// Event streams at once; the next one gets the error `busy`. Keep it far below
    /// [`connections_max`](Self::connections_max), because streams stay open.
    pub event_streams_max: usize,
    /// Commands (loads, purges, rollbacks, …) at once; the next one gets the error `busy`. Each takes a
    /// thread while it runs.
    pub commands_max: usize,
    /// Image uploads at once; the next one gets the error `busy`. Each is held in memory until it is
    /// complete.
    pub uploads_max: usize,
    /// How long a client may take to send the head of a request. Also how long a connection may be idle.
    pub header_read_timeout: Duration,
    /// How long a client may pause while it sends a body.
    pub body_idle_timeout: Duration,
    /// Size of a request's head (its first line and its headers), in bytes.
    pub head_bytes_max: usize,
    /// Size of a JSON body, in bytes.
    pub json_bytes_max: usize,
    /// Size of an uploaded image, in bytes.
    pub image_bytes_max: usize,
    /// The longest deadline that a request may set.
    pub deadline_max: Duration,
    /// The longest trial that a request may set.
    pub trial_max: Duration,
    /// The most events that one response of `GET /v1/history` has.
    pub history_max: usize,
    /// How long running requests may continue after the shutdown began.
    pub shutdown_grace: Duration,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 256,
            event_streams_max: 64,
            commands_max: 32,
            uploads_max: 4,
            header_read_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(10),
            head_bytes_max: 16 * 1024,
            json_bytes_max: 64 * 1024,
            image_bytes_max: 256 * 1024 * 1024,
            deadline_max: Duration::from_secs(24 * 60 * 60),
            trial_max: Duration::from_secs(30 * 24 * 60 * 60),
            history_max: 10_000,
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
