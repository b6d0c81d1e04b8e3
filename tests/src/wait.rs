//! Waiting for a condition. Tests count; they do not measure time: the limit only ends a test that would
//! never end.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long a test waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition holds. `what` describes it, for the failure.
///
/// # Panics
///
/// If it does not hold within 30 seconds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, || condition().then_some(()));
}

/// Waits until `look` returns a value. `what` describes it, for the failure.
///
/// # Panics
///
/// If it returns none within 30 seconds.
pub fn within<R>(what: &str, mut look: impl FnMut() -> Option<R>) -> R {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "timed out after {PATIENCE:?} waiting for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Sets the flag when it is dropped, so that threads which run until then end even if the test fails.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
