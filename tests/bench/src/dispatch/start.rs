//! Lets threads start together.

use std::{
    hint,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// How often a waiting thread checks before it yields its processor.
const SPINS_BEFORE_YIELD: u32 = 10_000;

/// A reusable barrier that spins. A barrier that sleeps would start some threads tens of microseconds late.
#[derive(Debug)]
pub(super) struct StartLine {
    threads: usize,
    /// The arrivals of all rounds.
    arrived: AtomicUsize,
    is_cancelled: AtomicBool,
}

// === impl StartLine ===

impl StartLine {
    pub(super) fn for_threads(threads: usize) -> Self {
        StartLine { threads, arrived: AtomicUsize::new(0), is_cancelled: AtomicBool::new(false) }
    }

    /// Waits until all threads have arrived.
    pub(super) fn wait(&self) {
        // Relaxed: the threads exchange no data here.
        let before = self.arrived.fetch_add(1, Ordering::Relaxed);
        let complete = (before / self.threads + 1) * self.threads;
        let mut spins = 0;
        while self.arrived.load(Ordering::Relaxed) < complete && !self.is_cancelled.load(Ordering::Relaxed) {
            hint::spin_loop();
            spins += 1;
            if spins == SPINS_BEFORE_YIELD {
                thread::yield_now();
                spins = 0;
            }
        }
    }

    /// Releases all threads that wait now or later: some will never arrive.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_starts_before_all_have_arrived() {
        let (start, arrivals) = (StartLine::for_threads(2), AtomicUsize::new(0));
        let run = || {
            for round in 1..=1_000 {
                arrivals.fetch_add(1, Ordering::SeqCst);
                start.wait();
                assert!(arrivals.load(Ordering::SeqCst) >= 2 * round);
            }
        };
        thread::scope(|scope| {
            scope.spawn(run);
            run();
        });
    }

    #[test]
    fn cancel_releases_the_threads_that_wait() {
        let start = StartLine::for_threads(3);
        thread::scope(|scope| {
            scope.spawn(|| start.wait());
            start.cancel();
            scope.spawn(|| start.wait());
        });
    }
}
