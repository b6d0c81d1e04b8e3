//! A way to call, and the timed loop around it.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// A way to call, with its own timed loop.
pub(super) trait Way: Sync {
    /// The name of the figure without `dispatch.`.
    fn name(&self) -> &'static str;

    /// Makes `calls` calls in a row on this thread, and returns when they started and ended.
    fn time(&self, calls: u64) -> Interval;
}

/// The time in which a thread made its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    start: Instant,
    end: Instant,
}

/// The call itself. [`Way`] puts a separate loop around each implementation.
pub(super) trait Call: Sync {
    const NAME: &'static str;

    fn call(&self, input: u64) -> u64;
}

// === impl Interval ===

impl Interval {
    /// The shortest interval that covers both.
    pub(super) fn union(self, other: Interval) -> Interval {
        Interval { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    pub(super) fn duration(self) -> Duration {
        self.end - self.start
    }
}

// === impl Way ===

impl<C: Call> Way for C {
    fn name(&self) -> &'static str {
        C::NAME
    }

    // Not inlined, so the compiler optimizes each loop alone.
    #[inline(never)]
    fn time(&self, calls: u64) -> Interval {
        let mut sum = 0_u64;
        let start = Instant::now();
        for input in 0..calls {
            // The compiler must not keep anything of `self` from one call to the next.
            sum = sum.wrapping_add(black_box(self).call(black_box(input)));
        }
        let end = Instant::now();
        black_box(sum);
        Interval { start, end }
    }
}
