//! Reserving a lane for a candidate, and publishing it.

use crate::api::ReserveError;
use crate::cell::Cell;
use crate::cell_state::LaneState;
use crate::current::LANES;
use crate::occupant::Occupant;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A lane with a candidate in it, which nobody can call yet.
///
/// Do everything that can fail before you reserve or while you hold the reservation, because
/// [`publish`](Reservation::publish) cannot fail. Dropping a reservation frees the lane and changes nothing
/// else.
#[must_use = "dropping a reservation frees its lane"]
pub struct Reservation<'a, T: Occupant> {
    cell: &'a Cell<T>,
    lane: usize,
}

impl<T: Occupant> Cell<T> {
    /// Gives `occupant` a lane, where nobody can call it before [`Reservation::publish`].
    ///
    /// # Errors
    /// [`ReserveError`]. The cell is unchanged, and `occupant` was dropped.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// let reservation = cell.reserve(Arc::new(Version(1)))?;
    /// assert!(cell.enter().is_none(), "nobody can call it yet");
    /// reservation.publish();
    /// assert_eq!(cell.enter().expect("it is current").0, 1);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn reserve(&self, occupant: Arc<T>) -> Result<Reservation<'_, T>, ReserveError> {
        let mut state = self.state().lock();
        if state.old().is_some() {
            return Err(ReserveError::OldPresent);
        }
        if state.has_candidate() {
            return Err(ReserveError::Reserved);
        }
        // A free lane needs no due fence: it was never published, or was found drained after the fence that
        // it needed.
        let is_free = |lane: &usize| matches!(state.lanes[*lane], LaneState::Free);
        let free: Vec<usize> = (0..LANES).filter(is_free).collect();
        let start = |lane: usize| Some((lane, state.registry.start_lane(lane)?));
        let (lane, calls_before) = free.into_iter().find_map(start).ok_or(ReserveError::NoFreeLane)?;
        state.calls_before[lane] = calls_before;
        self.lanes[lane].set_occupant(&occupant);
        state.lanes[lane] = LaneState::Reserved(Arc::clone(&occupant));
        // A projection that is made from now on finds this occupant itself.
        let projections = state.live_projections();
        drop(state);
        let reservation = Reservation { cell: self, lane };
        if !projections.is_empty() {
            // Without the mutex: views are foreign code, and a thread's first entry needs the mutex. If a
            // view panics, the reservation is dropped.
            let mut pending: Vec<_> =
                projections.into_iter().map(|projection| projection.make(&occupant)).collect();
            let state = self.state().lock();
            pending.iter_mut().for_each(|value| value.store(lane));
            drop(state);
            // This may drop the last owner of a projection: foreign code again.
            drop(pending);
        }
        Ok(reservation)
    }
}

impl<T: Occupant> Reservation<'_, T> {
    /// Makes the candidate current, and the current occupant old, by one store. Returns the occupant that is
    /// now old.
    ///
    /// It cannot fail: while the reservation exists there is no old occupant and no second reservation.
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

    /// Frees the lane and returns the candidate.
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
        ManuallyDrop::new(self).free().expect("a reserved lane has an occupant")
    }

    fn free(&self) -> Option<Arc<T>> {
        let mut state = self.cell.state().lock();
        self.cell.lanes[self.lane].clear();
        let cleared = state.clear_projections(self.lane);
        let occupant = state.take(self.lane);
        drop(state);
        // The values share ownership of the occupant.
        drop(cleared);
        occupant
    }
}

impl<T: Occupant> Drop for Reservation<'_, T> {
    fn drop(&mut self) {
        // `free` releases the mutex before it returns. If this is the candidate's last owner, its drop runs
        // without the mutex.
        drop(self.free());
    }
}

impl<T: Occupant> fmt::Debug for Reservation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("lane", &self.lane).finish_non_exhaustive()
    }
}
