//! Times in microseconds, for answers and events.

use std::time::{Duration, Instant};

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The time since the last lap of this clock, in microseconds.
pub(crate) fn lap(clock: &mut Instant) -> u64 {
    let now = Instant::now();
    micros(now - std::mem::replace(clock, now))
}
