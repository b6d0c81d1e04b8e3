//! Waking the one who waits for an old version to empty, from the threads that leave it.

use parking_lot::{Condvar, Mutex};

/// Wakes whoever waits for an old version to empty. Rung by the callers that leave it.
#[derive(Default)]
pub(crate) struct WakeCounter {
    seen: Mutex<u64>,
    increment: Condvar,
}

// === impl Bell ===

impl WakeCounter {
    pub(crate) fn increment(&self) {
        *self.seen.lock() += 1;
        self.increment.notify_all();
    }

    /// How often it was rung; to be read before looking, so that no ring after the look is missed.
    pub(crate) fn count(&self) -> u64 {
        *self.seen.lock()
    }

    /// Waits until it has been rung more often than that.
    pub(crate) fn wait_past(&self, count: u64) {
        self.increment.wait_while(&mut self.seen.lock(), |seen| *seen <= count);
    }
}
