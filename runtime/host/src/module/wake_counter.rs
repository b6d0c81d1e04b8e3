//! Wakes the threads that wait for a version to empty.

use parking_lot::{Condvar, Mutex};

/// Counts wake-ups. A caller that leaves a watched version increments it, and so does each change of the
/// module's state.
///
/// A waiter reads the count, looks at the version, and then waits until the count has grown. An increment
/// between the look and the wait is not lost.
#[derive(Default)]
pub(crate) struct WakeCounter {
    count: Mutex<u64>,
    incremented: Condvar,
}

// === impl WakeCounter ===

impl WakeCounter {
    pub(crate) fn increment(&self) {
        *self.count.lock() += 1;
        self.incremented.notify_all();
    }

    /// The count. Read it before you look at the version.
    pub(crate) fn count(&self) -> u64 {
        *self.count.lock()
    }

    /// Waits until the count is greater than `count`.
    pub(crate) fn wait_past(&self, count: u64) {
        self.incremented.wait_while(&mut self.count.lock(), |now| *now <= count);
    }
}
