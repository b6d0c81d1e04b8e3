//! Durations as integers, for answers and events.

use std::time::{Duration, Instant};

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time since `lap_start`, in microseconds. Sets `lap_start` to now.
pub(crate) fn lap(lap_start: &mut Instant) -> u64 {
    let now = Instant::now();
    micros(now - std::mem::replace(lap_start, now))
}
