//! Loads of one module go one after the other.

use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::{api::Error, module::Module};

/// The turn of a load: loads of one module go one after the other, in the order in which they came.
pub(crate) struct LoadLock<'a>(Option<MutexGuard<'a, ()>>);

impl Drop for LoadLock<'_> {
    fn drop(&mut self) {
        if let Some(load_lock) = self.0.take() {
            // To whoever has waited longest, and to nobody who comes by just now.
            MutexGuard::unlock_fair(load_lock);
        }
    }
}

// === impl Turn ===

impl<'a> LoadLock<'a> {
    /// Waits for the module's turn; without a deadline for ever.
    pub(crate) fn acquire(
        module: &'a Module,
        deadline: Option<Instant>,
        after: Duration,
    ) -> Result<Self, Error> {
        let load_lock = match deadline {
            Some(deadline) => module.load_lock.try_lock_until(deadline).ok_or_else(|| Error::Deadline {
                module: Some(module.name.to_string()),
                what: format!("another load of {}", module.name),
                after,
            })?,
            None => module.load_lock.lock(),
        };
        Ok(LoadLock(Some(load_lock)))
    }
}
