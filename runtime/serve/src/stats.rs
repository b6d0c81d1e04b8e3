//! The server's counters and gauges.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The counters of a server. They can be read while it runs. Clones are cheap and share the counters.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    counters: Arc<Counters>,
}

/// The values of the counters at one moment.
///
/// They are read one after the other, so a sum of several of them may be off by what happened in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections that are open now.
    pub connections: u64,
    /// Requests with complete headers, including those that were rejected.
    pub requests: u64,
    /// Requests that wait for a thread now.
    pub queued: u64,
    /// Threads inside a call now.
    pub busy: u64,
    /// Calls that a module answered.
    pub answered: u64,
    /// Calls that ended with a fault or a panic.
    pub failed: u64,
    /// Queued requests whose client disconnected before the call. No call was made.
    pub abandoned: u64,
    /// Rejected: no such module, or it has no current version (404); or the method was CONNECT (501).
    pub no_module: u64,
    /// Rejected: the queue was full (503).
    pub queue_full: u64,
    /// Rejected: the target was too long (414).
    pub target_too_long: u64,
    /// Rejected: the headers were too many or too large (431).
    pub headers_too_large: u64,
    /// Rejected: the body was too large (413).
    pub body_too_large: u64,
    /// Rejected: the body took too long (408), or was incomplete or invalid (400).
    pub body_broken: u64,
    /// Connections that were closed because the client sent invalid HTTP.
    pub malformed: u64,
}

/// The atomics behind [`Figures`]. Relaxed throughout: no other memory access depends on them.
#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    connections: AtomicU64,
    requests: AtomicU64,
    queued: AtomicU64,
    busy: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    abandoned: AtomicU64,
    no_module: AtomicU64,
    queue_full: AtomicU64,
    target_too_long: AtomicU64,
    headers_too_large: AtomicU64,
    body_too_large: AtomicU64,
    body_broken: AtomicU64,
    malformed: AtomicU64,
}

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Accepted,
    Request,
    Answered,
    Failed,
    Abandoned,
    NoModule,
    QueueFull,
    TargetTooLong,
    HeadersTooLarge,
    BodyTooLarge,
    BodyBroken,
    Malformed,
}

/// Counts one in a gauge until it is dropped.
#[derive(Debug)]
pub(crate) struct GaugeGuard {
    counters: Arc<Counters>,
    gauge: Gauge,
}

/// A gauge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gauge {
    Connection,
    Queued,
    Busy,
}

// === impl Stats ===

impl Stats {
    /// The values of the counters now.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &*self.counters;
        Figures {
            accepted: read(&counters.accepted),
            connections: read(&counters.connections),
            requests: read(&counters.requests),
            queued: read(&counters.queued),
            busy: read(&counters.busy),
            answered: read(&counters.answered),
            failed: read(&counters.failed),
            abandoned: read(&counters.abandoned),
            no_module: read(&counters.no_module),
            queue_full: read(&counters.queue_full),
            target_too_long: read(&counters.target_too_long),
            headers_too_large: read(&counters.headers_too_large),
            body_too_large: read(&counters.body_too_large),
            body_broken: read(&counters.body_broken),
            malformed: read(&counters.malformed),
        }
    }

    pub(crate) fn count(&self, what: Count) {
        let counters = &*self.counters;
        let counter = match what {
            Count::Accepted => &counters.accepted,
            Count::Request => &counters.requests,
            Count::Answered => &counters.answered,
            Count::Failed => &counters.failed,
            Count::Abandoned => &counters.abandoned,
            Count::NoModule => &counters.no_module,
            Count::QueueFull => &counters.queue_full,
            Count::TargetTooLong => &counters.target_too_long,
            Count::HeadersTooLarge => &counters.headers_too_large,
            Count::BodyTooLarge => &counters.body_too_large,
            Count::BodyBroken => &counters.body_broken,
            Count::Malformed => &counters.malformed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn track(&self, gauge: Gauge) -> GaugeGuard {
        let guard = GaugeGuard { counters: self.counters.clone(), gauge };
        guard.counter().fetch_add(1, Ordering::Relaxed);
        guard
    }
}

// === impl GaugeGuard ===

impl GaugeGuard {
    fn counter(&self) -> &AtomicU64 {
        match self.gauge {
            Gauge::Connection => &self.counters.connections,
            Gauge::Queued => &self.counters.queued,
            Gauge::Busy => &self.counters.busy,
        }
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.counter().fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_counts_guards_until_they_are_dropped() {
        let stats = Stats::default();
        let busy = [stats.track(Gauge::Busy), stats.track(Gauge::Busy)];
        stats.count(Count::Request);
        assert_eq!(stats.figures(), Figures { busy: 2, requests: 1, ..Figures::default() });
        drop(busy);
        assert_eq!(stats.figures().busy, 0);
    }
}
