//! A candidate's seat: a lane that is taken and not yet published.

use crate::cell::{Cell, Occupant};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Why [`Cell::reserve`] gave no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There are two versions already. The old one must go first.
    #[error("an old version is still present; it must be purged first")]
    OldPresent,
    /// Another candidate has a seat.
    #[error("another version is being loaded")]
    Reserved,
    /// No lane is free: the others hold generations that are quarantined. A free lane is also passed over while some thread
    /// stands between two instructions of an entry that it will take back. If no generation is quarantined, that must have been
    /// so in seven lanes at once, and asking again helps.
    #[error("no lane is free")]
    NoFreeLane,
}

/// A lane with a candidate in it, which nobody can call yet. Everything that can fail comes before this or while it is held;
/// [`publish`](Seat::publish) cannot. Dropped unpublished, it gives the lane back, and nothing has happened.
#[must_use = "a seat that is dropped gives its lane back"]
pub struct Seat<'a, T: Occupant> {
    cell: &'a Cell<T>,
    lane: usize,
}

impl<'a, T: Occupant> Seat<'a, T> {
    pub(crate) fn new(cell: &'a Cell<T>, lane: usize) -> Self {
        Self { cell, lane }
    }

    /// Makes the candidate current and what was current old, by one store. Hands out what is old now.
    ///
    /// It cannot fail: while a seat is held there is no old occupant, and no second seat.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn depart(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let old = cell.reserve(Arc::new(Version(2)))?.publish();
    /// assert_eq!(old.expect("version 1 was current").0, 1);
    /// # Ok::<(), segue_core::Refused>(())
    /// ```
    pub fn publish(self) -> Option<Arc<T>> {
        let seat = ManuallyDrop::new(self);
        let mut book = seat.cell.book().lock();
        seat.cell.switch(&mut book, seat.lane)
    }

    /// Gives the lane back, and the candidate.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Which};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn depart(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let candidate = cell.reserve(Arc::new(Version(2)))?.abandon();
    /// assert_eq!(candidate.0, 2);
    /// assert_eq!(cell.occupant(Which::Current).expect("nothing has changed").0, 1);
    /// # Ok::<(), segue_core::Refused>(())
    /// ```
    pub fn abandon(self) -> Arc<T> {
        ManuallyDrop::new(self).free().expect("a seat's lane has an occupant until the seat is gone")
    }

    fn free(&self) -> Option<Arc<T>> {
        let mut book = self.cell.book().lock();
        self.cell.lanes[self.lane].clear();
        let sides = book.clear_sides(self.lane);
        let occupant = book.take(self.lane);
        drop(book);
        // They share the occupant.
        drop(sides);
        occupant
    }
}

impl<T: Occupant> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        // The mutex is let go inside, so that the candidate, if this was its last owner, is dropped after it.
        drop(self.free());
    }
}

impl<T: Occupant> fmt::Debug for Seat<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("lane", &self.lane).finish_non_exhaustive()
    }
}
