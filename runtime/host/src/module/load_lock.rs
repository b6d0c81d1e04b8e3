//! The lock of a module's loads: loads of one module run one after the other.

use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::{api::Error, module::Module};

/// A module's load lock, held by a load. Waiting loads get it in the order in which they arrived.
pub(crate) struct LoadLock<'a>(Option<MutexGuard<'a, ()>>);

impl Drop for LoadLock<'_> {
    fn drop(&mut self) {
        if let Some(load_lock) = self.0.take() {
            // Fair: to the load that has waited longest, not to one that arrives just now.
            MutexGuard::unlock_fair(load_lock);
        }
    }
}

// === impl LoadLock ===

impl<'a> LoadLock<'a> {
    /// Waits for the module's load lock. Without a deadline it waits indefinitely. `timeout` is the
    /// time until the deadline, for the error.
    pub(crate) fn acquire(
        module: &'a Module,
        deadline: Option<Instant>,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let load_lock = match deadline {
            Some(deadline) => module.load_lock.try_lock_until(deadline).ok_or_else(|| Error::Deadline {
                module: Some(module.name.to_string()),
                what: format!("another load of {}", module.name),
                after: timeout,
            })?,
            None => module.load_lock.lock(),
        };
        Ok(LoadLock(Some(load_lock)))
    }
}
