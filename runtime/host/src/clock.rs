//! Times, as the reports have them.

use std::time::{Duration, Instant};

/// A duration in microseconds, as the reports have it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The time since the clock's last lap, in microseconds.
pub(crate) fn lap(clock: &mut Instant) -> u64 {
    let now = Instant::now();
    micros(now - std::mem::replace(clock, now))
}
