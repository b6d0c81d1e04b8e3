//! The writer's operations that change the role of an occupant.

use crate::api::{NothingToRollBack, Quarantine, WithdrawError};
use crate::cell::Cell;
use crate::cell_state::CellState;
use crate::current::LaneOffset;
use crate::occupant::Occupant;
use crate::sync::Ordering;
use std::sync::Arc;

impl<T: Occupant> Cell<T> {
    /// Makes the old occupant current and the current one old, by the same store as a publish. Calls inside
    /// either of them finish there. It ends a watch on the occupant that was old.
    ///
    /// # Errors
    /// [`NothingToRollBack`] if there is no old occupant.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// # cell.reserve(Arc::new(Version(2)))?.publish();
    /// cell.rollback().expect("version 1 is old");
    /// assert_eq!(cell.occupant(Role::Current).expect("version 1 is current").0, 1);
    /// assert_eq!(cell.occupant(Role::Old).expect("version 2 is old").0, 2);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn rollback(&self) -> Result<(), NothingToRollBack> {
        let mut state = self.state().lock();
        let (lane, _) = state.old().ok_or(NothingToRollBack)?;
        self.switch(&mut state, lane);
        Ok(())
    }

    /// Makes the current occupant old without a replacement. Nobody can enter until the next publish.
    ///
    /// # Errors
    /// [`WithdrawError`] if there is no current occupant, or if an old occupant or a reservation exists.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// cell.withdraw().expect("version 1 is current");
    /// assert!(cell.enter().is_none());
    /// assert_eq!(cell.occupant(Role::Old).expect("it is old now").0, 1);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn withdraw(&self) -> Result<(), WithdrawError> {
        let mut state = self.state().lock();
        if state.old().is_some() || state.has_candidate() {
            return Err(WithdrawError);
        }
        state.retire_current().ok_or(WithdrawError)?;
        self.set_current(&mut state, LaneOffset::NULL);
        Ok(())
    }

    /// Quarantines the old occupant, so that another can become old although callers are inside this one. It
    /// keeps its lane, and can be taken out when it is drained. Returns `None` if there is no old occupant.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role, VacateOutcome};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let stuck = cell.enter();
    /// cell.reserve(Arc::new(Version(2)))?.publish();
    /// let first = cell.quarantine_old().expect("version 1 is old");
    /// cell.reserve(Arc::new(Version(3)))?.publish();
    /// assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(old) if old.0 == 2));
    /// assert!(matches!(cell.vacate(Role::Quarantined(first)), VacateOutcome::Busy { inside: 1 }));
    /// drop(stuck);
    /// assert!(matches!(cell.vacate(Role::Quarantined(first)), VacateOutcome::Vacated(old) if old.0 == 1));
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn quarantine_old(&self) -> Option<Quarantine> {
        self.state().lock().quarantine_old()
    }

    /// Makes the occupant of lane `next` current, and the current occupant old. Returns the occupant that is
    /// now old.
    pub(crate) fn switch(&self, state: &mut CellState<T>, next: usize) -> Option<Arc<T>> {
        let previous = state.switch(next);
        self.lanes[next].unwatch();
        self.set_current(state, LaneOffset::of(next));
        previous
    }

    /// Sends new callers to a lane, or to the null lane.
    ///
    /// A caller that learns of this change, through any synchronization, and then enters, goes there. It
    /// needs no fence for this: its reads see a store that happened before them.
    fn set_current(&self, state: &mut CellState<T>, to: LaneOffset) {
        // Release: pairs with the Acquire of the recheck in `try_enter`, which then sees the occupant in its
        // lane.
        self.current.store(to, Ordering::Release);
        state.is_fence_due = true;
    }
}
