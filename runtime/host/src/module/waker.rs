//! Waking the one who waits for an old version to empty, from the threads that leave it.

use parking_lot::{Condvar, Mutex};

/// Wakes whoever waits for an old version to empty. Rung by the callers that leave it.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<u64>,
    ring: Condvar,
}

// === impl Bell ===

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock() += 1;
        self.ring.notify_all();
    }

    /// How often it was rung; to be read before looking, so that no ring after the look is missed.
    pub(crate) fn count(&self) -> u64 {
        *self.rung.lock()
    }

    /// Waits until it has been rung more often than that.
    pub(crate) fn wait_past(&self, count: u64) {
        self.ring.wait_while(&mut self.rung.lock(), |rung| *rung <= count);
    }
}
