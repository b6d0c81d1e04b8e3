//! A candidate's reservation: a lane that is taken and not yet published.

use crate::cell::{Cell, Occupant};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Why [`Cell::reserve`] gave no reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// There are two versions already. The old one must go first.
    #[error("an old version is still present; it must be purged first")]
    OldPresent,
    /// Another candidate has a reservation.
    #[error("another version is being loaded")]
    Reserved,
    /// No lane is free: the others hold generations that are quarantined. A free lane is also passed over while some thread
    /// stands between two instructions of an entry that it will take back. If no generation is quarantined, that must have been
    /// so in seven lanes at once, and asking again helps.
    #[error("no lane is free")]
    NoFreeLane,
}

/// A lane with a candidate in it, which nobody can call yet. Everything that can fail comes before this or while it is held;
/// [`publish`](Reservation::publish) cannot. Dropped unpublished, it gives the lane back, and nothing has happened.
#[must_use = "a reservation that is dropped gives its lane back"]
pub struct Reservation<'a, T: Occupant> {
    cell: &'a Cell<T>,
    lane: usize,
}

impl<'a, T: Occupant> Reservation<'a, T> {
    pub(crate) fn new(cell: &'a Cell<T>, lane: usize) -> Self {
        Self { cell, lane }
    }

    /// Makes the candidate current and what was current old, by one store. Hands out what is old now.
    ///
    /// It cannot fail: while a reservation is held there is no old occupant, and no second reservation.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let old = cell.reserve(Arc::new(Version(2)))?.publish();
    /// assert_eq!(old.expect("version 1 was current").0, 1);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn publish(self) -> Option<Arc<T>> {
        let reservation = ManuallyDrop::new(self);
        let mut state = reservation.cell.state().lock();
        reservation.cell.switch(&mut state, reservation.lane)
    }

    /// Gives the lane back, and the candidate.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let candidate = cell.reserve(Arc::new(Version(2)))?.abandon();
    /// assert_eq!(candidate.0, 2);
    /// assert_eq!(cell.occupant(Role::Current).expect("nothing has changed").0, 1);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn abandon(self) -> Arc<T> {
        ManuallyDrop::new(self)
            .free()
            .expect("a reservation's lane has an occupant until the reservation is gone")
    }

    fn free(&self) -> Option<Arc<T>> {
        let mut state = self.cell.state().lock();
        self.cell.lanes[self.lane].clear();
        let sides = state.clear_projections(self.lane);
        let occupant = state.take(self.lane);
        drop(state);
        // They share the occupant.
        drop(sides);
        occupant
    }
}

impl<T: Occupant> Drop for Reservation<'_, T> {
    fn drop(&mut self) {
        // The mutex is let go inside, so that the candidate, if this was its last owner, is dropped after it.
        drop(self.free());
    }
}

impl<T: Occupant> fmt::Debug for Reservation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("lane", &self.lane).finish_non_exhaustive()
    }
}
