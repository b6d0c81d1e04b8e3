//! What one client may cost the others.

use std::time::Duration;

/// What one client may cost the others, and the process that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections that are open at once. A further client waits until one is closed, and an idle one is closed after
    /// [`header_read_timeout`](Self::header_read_timeout).
    pub connections_max: usize,
    /// Clients that read events at once; a further one is told `busy`. Far below
    /// [`connections_max`](Self::connections_max), since they stay.
    pub event_streams_max: usize,
    /// Loads, purges, rollbacks and the like at once; a further one is told `busy`. Each takes a thread while it waits.
    pub commands_max: usize,
    /// Images that are put at once; a further one is told `busy`. Each is held in memory until it is whole.
    pub uploads_max: usize,
    /// How long a client may take for the head of a request, and how long a connection may be idle.
    pub header_read_timeout: Duration,
    /// How long a client may pause inside a body before it is given up.
    pub body_idle_timeout: Duration,
    /// The size of a request's head, in bytes: its first line and its headers.
    pub head_bytes_max: usize,
    /// The size of a JSON body, in bytes.
    pub json_bytes_max: usize,
    /// The size of an image that is put, in bytes.
    pub image_bytes_max: usize,
    /// The longest deadline that a request may ask for.
    pub deadline_max: Duration,
    /// The longest trial that a request may ask for.
    pub trial_max: Duration,
    /// The most events that one answer of the history has.
    pub history_max: usize,
    /// How long requests that are being answered may go on after the shutdown began.
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
