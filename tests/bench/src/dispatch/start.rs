//! Where threads meet that are to start together.

use std::{
    hint,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// How many times to look whether the others have come, before giving them the processor.
const PATIENCE: u32 = 10_000;

/// Lets threads start in the same moment, any number of times. A barrier that sleeps would have some of them start tens of
/// microseconds after the others.
#[derive(Debug)]
pub(super) struct Start {
    parties: usize,
    /// How many have ever come.
    arrived: AtomicUsize,
    /// Somebody will not come.
    given_up: AtomicBool,
}

// === impl Start ===

impl Start {
    /// For so many threads.
    pub(super) fn of(parties: usize) -> Self {
        Start { parties, arrived: AtomicUsize::new(0), given_up: AtomicBool::new(false) }
    }

    /// Waits until all have come.
    pub(super) fn meet(&self) {
        // Relaxed: nothing is handed over here but the moment.
        let before = self.arrived.fetch_add(1, Ordering::Relaxed);
        let complete = (before / self.parties + 1) * self.parties;
        let mut looks = 0;
        while self.arrived.load(Ordering::Relaxed) < complete && !self.given_up.load(Ordering::Relaxed) {
            hint::spin_loop();
            looks += 1;
            if looks == PATIENCE {
                thread::yield_now();
                looks = 0;
            }
        }
    }

    /// Lets go whoever waits, now or later: not all will come.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_starts_alone() {
        let (start, come) = (Start::of(2), AtomicUsize::new(0));
        let go = || {
            for round in 1..=1_000 {
                come.fetch_add(1, Ordering::SeqCst);
                start.meet();
                assert!(come.load(Ordering::SeqCst) >= 2 * round);
            }
        };
        thread::scope(|scope| {
            scope.spawn(go);
            go();
        });
    }

    #[test]
    fn nobody_waits_for_who_does_not_come() {
        let start = Start::of(3);
        thread::scope(|scope| {
            scope.spawn(|| start.meet());
            start.give_up();
            scope.spawn(|| start.meet());
        });
    }
}
