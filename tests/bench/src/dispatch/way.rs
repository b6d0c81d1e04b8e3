//! A way to call, and the loop around it that is timed.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// A way to call, as the one who measures sees it.
pub(super) trait Way: Sync {
    /// The figure's name is `dispatch.` and this.
    fn name(&self) -> &'static str;

    /// When so many calls, one after the other on this thread, began and ended.
    fn time(&self, calls: u64) -> Stretch;
}

/// A time in which a thread called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    begun: Instant,
    ended: Instant,
}

/// A way to call, as its author writes it. [`Way`] has a loop of its own around each.
pub(super) trait Call: Sync {
    const NAME: &'static str;

    fn call(&self, input: u64) -> u64;
}

// === impl Stretch ===

impl Stretch {
    /// From the first beginning of the two to the last end.
    pub(super) fn and(self, other: Stretch) -> Stretch {
        Stretch { begun: self.begun.min(other.begun), ended: self.ended.max(other.ended) }
    }

    pub(super) fn took(self) -> Duration {
        self.ended - self.begun
    }
}

// === impl Way ===

impl<C: Call> Way for C {
    fn name(&self) -> &'static str {
        C::NAME
    }

    // A function of its own, so that no way's loop is made with a thought of another's.
    #[inline(never)]
    fn time(&self, calls: u64) -> Stretch {
        let mut sum = 0_u64;
        let begun = Instant::now();
        for input in 0..calls {
            // Each call finds its way anew: nothing that `self` says is known from the call before.
            sum = sum.wrapping_add(black_box(self).call(black_box(input)));
        }
        let ended = Instant::now();
        black_box(sum);
        Stretch { begun, ended }
    }
}
