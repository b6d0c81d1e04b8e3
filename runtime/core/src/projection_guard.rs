//! Entering a cell through a projection.

use crate::entry::Entry;
use crate::guard::OwnedCallGuard;
use crate::occupant::Occupant;
use crate::projection::{Projection, StoredValue};
use crate::sync::Ordering;
use crate::view::View;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A caller inside an occupant, with the view's value. Dropping the guard counts the caller out. It stays on
/// its thread.
#[must_use = "dropping a guard counts the caller out"]
pub struct ProjectionGuard<'a, T: Occupant, V: View<T>> {
    entry: Entry<'a, T>,
    value: NonNull<StoredValue<T, V>>,
    /// Counting out writes the counters, which only their own thread may do.
    not_send: PhantomData<*const ()>,
}

/// Why [`Projection::enter`] failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// There is no current occupant.
    #[error("there is no current version")]
    NoOccupant,
    /// The view has no value for the current occupant.
    #[error("the current version does not provide this view")]
    NoView,
}

impl<T: Occupant, V: View<T>> Projection<T, V> {
    /// Enters the current occupant.
    ///
    /// # Errors
    /// [`ProjectionError`]. The caller was not counted.
    ///
    /// # Performance
    /// The cost of [`Cell::enter`](crate::Cell::enter): it reads the value instead of the occupant.
    ///
    /// # Example
    /// See [`View`].
    #[inline(always)] // Otherwise the guard would be made in memory.
    pub fn enter(&self) -> Result<ProjectionGuard<'_, T, V>, ProjectionError> {
        let (entry, _) = self.cell.enter_lane();
        // Relaxed: see `Slot`.
        match NonNull::new(entry.offset().select(&self.slots).value.load(Ordering::Relaxed)) {
            Some(value) => Ok(ProjectionGuard { entry, value, not_send: PhantomData }),
            None => {
                entry.cancel();
                let is_empty = entry.is_in_null_lane();
                Err(if is_empty { ProjectionError::NoOccupant } else { ProjectionError::NoView })
            }
        }
    }

    /// The value for the occupant that an owned guard is inside, whether it is current or not. `None` if the
    /// view has no value for it, or if the guard belongs to another cell.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, View};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// struct Number;
    /// impl View<Version> for Number {
    ///     type Value<'a> = &'a u32;
    ///     fn make<'a>(&self, version: &'a Version) -> Option<&'a u32> { Some(&version.0) }
    ///     fn shorten<'short, 'long: 'short>(value: &'short &'long u32) -> &'short &'short u32 { value }
    /// }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let guard = cell.enter_owned().expect("version 1 is current");
    /// cell.reserve(Arc::new(Version(2)))?.publish();
    /// let projection = cell.projection(Number);
    /// assert_eq!(projection.value_for(&guard).map(|number| **number), Some(1));
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn value_for<'a>(&'a self, guard: &'a OwnedCallGuard<T>) -> Option<&'a V::Value<'a>> {
        if !guard.belongs_to(&self.cell) {
            return None;
        }
        guard.record_visit();
        // Relaxed: see `Slot`. The guard is counted into this lane, so the lane is not drained, and the slot
        // holds the value for its occupant.
        let value = NonNull::new(guard.lane().select(&self.slots).value.load(Ordering::Relaxed))?;
        // SAFETY: the value stays in its slot while the guard is counted into its lane. The result borrows
        // both.
        Some(V::shorten(&unsafe { value.as_ref() }.value))
    }
}

impl<T: Occupant, V: View<T>> ProjectionGuard<'_, T, V> {
    /// The value for the occupant that the caller is inside. Its lifetime is the borrow of the guard, which
    /// is why this is not a `Deref`.
    #[inline(always)]
    pub fn get(&self) -> &V::Value<'_> {
        V::shorten(&self.stored().value)
    }

    /// The occupant that the caller is inside.
    pub fn occupant(&self) -> &T {
        &self.stored().occupant
    }

    #[inline(always)]
    fn stored(&self) -> &StoredValue<T, V> {
        // SAFETY: the value stays in its slot while we are counted into its lane, which ends with this guard.
        unsafe { self.value.as_ref() }
    }
}

impl<T: Occupant, V: View<T>> Drop for ProjectionGuard<'_, T, V> {
    #[inline(always)] // As for a `CallGuard`.
    fn drop(&mut self) {
        self.entry.leave();
    }
}

impl<T: Occupant, V: View<T>> fmt::Debug for ProjectionGuard<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionGuard").finish_non_exhaustive()
    }
}
