//! Waiting for something to be so. Tests count; they do not measure: the limit only ends a test that would
//! never end.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until this is so.
///
/// # Panics
///
/// Where it is not so for a long time.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, || is_so().then_some(()));
}

/// Waits until there is an answer.
///
/// # Panics
///
/// Where there is none for a long time.
pub fn within<R>(what: &str, mut look: impl FnMut() -> Option<R>) -> R {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "after {PATIENCE:?} still not: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
