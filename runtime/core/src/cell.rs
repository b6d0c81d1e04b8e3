//! The writer's side of a cell: who is current, who is old, and whether anybody is still inside.

use crate::api::{
    Count, NothingToRollBack, Quarantine, Role, ThreadCalls, VacateOutcome, WakeRequest, WithdrawError,
};
use crate::current::{Current, Offset, PLACES};
use crate::fence::Fences;
use crate::lane::{CellState, Lane, LaneState};
use crate::reservation::{Reservation, ReserveError};
use crate::stripe::{LANES, Stripe};
use crate::sync::{Mutation, Mutex, Ordering, is_mutated, next_cell_id};
use crate::thread::{self, Near, ThreadId};
use crate::thread_exit::{self, ThreadExitHook};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

/// What can occupy a cell.
pub trait Occupant: Send + Sync + 'static {
    /// The calling thread has been inside this occupant and is about to exit. It is counted in, so the occupant stays.
    ///
    /// Called once per thread and occupant, with none of the cell's locks held; a panic in it ends here. (Again, at most four
    /// times, if the thread enters it once more while it says goodbye to another.) A thread that exits when the occupant has
    /// already been taken out of the cell is not announced any more.
    fn on_thread_exit(&self);
}

/// The current and the old occupant of one module, and who is inside them.
///
/// Callers [`enter`](Cell::enter) it from any thread without waiting for anything. One writer at a time (they queue at a
/// mutex that callers never touch, except at a thread's first entry) moves occupants through it:
/// [`reserve`](Cell::reserve) → [`publish`](Reservation::publish) → current → old → [`vacate`](Cell::vacate).
///
/// Dropping a cell drops the occupants that it still holds: guards borrow or own the cell, so nobody is inside. A thread that
/// is exiting owns, for that moment, the cells that it has entered. (Joining a thread waits for that;
/// [`std::thread::scope`] alone does not.)
///
/// # Example
/// See the [crate's documentation](crate).
// Aligned to keep the reference count of its Arc, which owned guards write, off the lines that callers read. In the order of
// the declaration so that these are few: `current`, `near`, `id`, `fences` and three lanes share the first 128 bytes.
#[repr(C, align(128))]
pub struct Cell<T: Occupant> {
    pub(crate) current: Current,
    /// Where its stripes are in the near tables of threads; nowhere if callers of this cell execute fences, so that whoever has
    /// found its stripe there knows that it need not.
    pub(crate) near: Near,
    id: usize,
    pub(crate) fences: Fences,
    pub(crate) lanes: [Lane<T>; PLACES],
    me: Weak<Self>,
    apart: CachePadded<Mutex<CellState<T>>>,
}

/// A value on cache lines of its own.
#[repr(align(128))]
struct CachePadded<M>(M);

impl<T: Occupant> Cell<T> {
    /// An empty cell. `wake` is called by a leaver that may have emptied a lane that is watched
    /// (see [`watch`](Cell::watch)): on the leaver's thread and in its way, so it must neither block nor panic.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Self::with_fences(wake, Fences::detect())
    }

    /// An empty cell with the pair of fences given, for tests of the pair that this machine would not choose.
    #[doc(hidden)]
    pub fn with_fences(wake: Box<dyn Fn() + Send + Sync>, fences: Fences) -> Arc<Self> {
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::from(wake);
        let id = next_cell_id();
        Arc::new_cyclic(|me| Self {
            current: Current::nowhere(),
            near: if fences.is_asymmetric() { Near::of(id) } else { Near::nowhere() },
            id,
            fences,
            lanes: std::array::from_fn(|_| Lane::new(fences, Arc::clone(&wake))),
            me: Weak::clone(me),
            apart: CachePadded(Mutex::new(CellState::new())),
        })
    }

    /// The occupant that is meant. For the writer's side: it locks, and the clone keeps the occupant in memory.
    pub fn occupant(&self, which: Role) -> Option<Arc<T>> {
        let state = self.state().lock();
        state.occupant(state.lane_of(which)?).cloned()
    }

    /// Gives `occupant` a lane, where nobody can call it before [`Reservation::publish`].
    ///
    /// # Errors
    /// Nothing has changed then, and `occupant` was dropped. See [`ReserveError`].
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
        // No fence is due to a lane that is free: it was never published, or it was found drained after the fence that was.
        let free = |lane: &usize| matches!(state.states[*lane], LaneState::Free);
        let free: Vec<usize> = (0..LANES).filter(free).collect();
        let start = |lane: usize| Some((lane, state.registry.start(lane)?));
        let (lane, calls_before) = free.into_iter().find_map(start).ok_or(ReserveError::NoFreeLane)?;
        state.calls_before[lane] = calls_before;
        self.lanes[lane].set_occupant(&occupant);
        state.states[lane] = LaneState::Reserved(Arc::clone(&occupant));
        // A projection that comes from now on finds this occupant itself.
        let projections = state.live_projections();
        drop(state);
        let reservation = Reservation::new(self, lane);
        if !projections.is_empty() {
            // Out of the mutex: it is foreign code, and a thread's first entry needs the mutex. If it panics, the reservation is given
            // back.
            let mut sides: Vec<_> =
                projections.into_iter().map(|projection| projection.make(&occupant)).collect();
            let state = self.state().lock();
            sides.iter_mut().for_each(|side| side.store(lane));
            drop(state);
            // With them go their projections, which nobody else may have any more: foreign code again.
            drop(sides);
        }
        Ok(reservation)
    }

    /// Makes the old occupant current and the current one old, by the same store as a publish: callers inside either finish
    /// where they are. A watch on the occupant that was old is over.
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
    /// assert_eq!(cell.occupant(Role::Current).expect("there is one").0, 1);
    /// assert_eq!(cell.occupant(Role::Old).expect("there is one").0, 2);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn rollback(&self) -> Result<(), NothingToRollBack> {
        let mut state = self.state().lock();
        let (lane, _) = state.old().ok_or(NothingToRollBack)?;
        self.switch(&mut state, lane);
        Ok(())
    }

    /// Makes the current occupant old without another in its place: nobody can enter until the next publish.
    ///
    /// # Errors
    /// [`WithdrawError`] if there is no current occupant, or an old one that must go first, or a candidate with a reservation.
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
        self.steer(&mut state, Offset::NOWHERE);
        Ok(())
    }

    /// Whether a caller who enters now meets this occupant: it goes the way of every caller, in and out again, and is counted as no
    /// call.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// let version = Arc::new(Version(1));
    /// assert!(!cell.is_current(&version));
    /// cell.reserve(Arc::clone(&version))?.publish();
    /// assert!(cell.is_current(&version));
    /// assert_eq!(cell.count(Role::Current).expect("there is one").calls, 0);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn is_current(&self, occupant: &Arc<T>) -> bool {
        let (place, _) = self.count_in();
        let met = place.occupant().is_some_and(|met| ptr::eq(met.as_ptr(), Arc::as_ptr(occupant)));
        place.take_back();
        met
    }

    /// What the counters say. None if there is no such occupant.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let guard = cell.enter();
    /// let count = cell.count(Role::Current).expect("there is one");
    /// assert_eq!((count.inside, count.calls), (1, 1));
    /// drop(guard);
    /// let count = cell.count(Role::Current).expect("there is one");
    /// assert_eq!((count.inside, count.calls), (0, 1));
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn count(&self, which: Role) -> Option<Count> {
        let mut state = self.state().lock();
        let lane = state.lane_of(which)?;
        self.settle(&mut state);
        let tally = state.registry.tally(lane);
        Some(Count { inside: tally.inside(), calls: tally.calls().saturating_sub(state.calls_before[lane]) })
    }

    /// The threads that have been inside, now or earlier, and have not exited. A thread that only tried to enter, at the
    /// moment of a publish or through a projection that shows nothing of it, may be listed too; one that was inside is never missing, unless all it had was a `&T` that it borrowed
    /// from another thread's guard, or its entry was made after this thread's exit hook and it is gone by now.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, ThreadId, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// drop(cell.enter());
    /// assert_eq!(cell.visitors(Role::Current), [ThreadId::current()]);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn visitors(&self, which: Role) -> Vec<ThreadId> {
        let mut state = self.state().lock();
        // Makes entries visible that their threads have completed.
        self.fences.heavy();
        state.is_fence_due = false;
        state.lane_of(which).map(|lane| state.registry.visitors(lane)).unwrap_or_default()
    }

    /// Who is inside, by thread. Derived from the counters, so it costs callers nothing.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, ThreadId, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let guard = cell.enter();
    /// let inside = cell.calls_by_thread(Role::Current);
    /// assert_eq!((inside[0].thread, inside[0].calls), (ThreadId::current(), 1));
    /// drop(guard);
    /// assert!(cell.calls_by_thread(Role::Current).is_empty());
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn calls_by_thread(&self, which: Role) -> Vec<ThreadCalls> {
        let mut state = self.state().lock();
        // Makes entries visible that their threads have completed.
        self.fences.heavy();
        state.is_fence_due = false;
        state.lane_of(which).map(|lane| state.registry.calls_by_thread(lane)).unwrap_or_default()
    }

    /// Has callers who leave the current occupant call `wake`, until this is said otherwise or another is published: for
    /// whoever wants to meet threads that pass by. Best effort, unlike [`watch`](Cell::watch): a caller may pass unseen.
    pub fn request_wake(&self, request: WakeRequest) {
        let state = self.state().lock();
        if let Some((lane, _)) = state.current() {
            self.lanes[lane].request_wake(request);
        }
    }

    /// Has the old occupant give up the place of old, so that another can become old, although somebody is inside: it keeps its
    /// lane, and can be taken out when it is empty. None if there is no old occupant.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, VacateOutcome, Role};
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

    /// Raises the flag on an occupant that is not current: from now on each caller who leaves it calls `wake`. To wait for it to
    /// be empty, raise the flag, then look ([`vacate`](Cell::vacate)), then wait for `wake`, then look again: a caller that
    /// leaves in between is seen by one of the two. The flag falls when the occupant goes, or by a rollback.
    pub fn watch(&self, which: Role) {
        let mut state = self.state().lock();
        let Some(lane) = state.retired_lane(which) else { return };
        self.lanes[lane].watch();
        if !is_mutated(Mutation::DropWatchFence) {
            // For each leaver: either its counting out is visible to the sums made after this, or it sees the flag.
            self.fences.heavy();
        }
        // That came after the switch too, and does for both.
        state.is_fence_due = false;
    }

    /// Takes an occupant out if nobody is inside. Its lane is free again then. The current one cannot be taken out: of that the
    /// answer is [`VacateOutcome::Absent`].
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, VacateOutcome, Role};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let guard = cell.enter();
    /// cell.reserve(Arc::new(Version(2)))?.publish();
    /// assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Busy { inside: 1 }));
    /// drop(guard);
    /// assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(old) if old.0 == 1));
    /// assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Absent));
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn vacate(&self, which: Role) -> VacateOutcome<T> {
        let mut state = self.state().lock();
        let Some(lane) = state.retired_lane(which) else { return VacateOutcome::Absent };
        // The heavy fence since this lane was current: an entry that these sums do not see will find, at its second look, that
        // the lane is not current. Threads without a stripe yet get one under the mutex we hold.
        self.settle(&mut state);
        let tally = state.registry.tally(lane);
        if !tally.is_drained() {
            return VacateOutcome::Busy { inside: tally.inside() };
        }
        self.lanes[lane].clear();
        let sides = state.clear_projections(lane);
        let occupant = state.take(lane);
        drop(state);
        // They share the occupant.
        drop(sides);
        occupant.map_or(VacateOutcome::Absent, VacateOutcome::Vacated)
    }

    /// Makes the occupant of `next` current, and what was current old. Hands out what is old now.
    pub(crate) fn switch(&self, state: &mut CellState<T>, next: usize) -> Option<Arc<T>> {
        let previous = state.switch(next);
        self.lanes[next].unwatch();
        self.steer(state, Offset::of(next));
        previous
    }

    /// Sends new callers to a lane, or nowhere. Whoever enters after it has learned that this is done, by whatever orders the two,
    /// goes there, and takes no fence for that: reads do not go back behind a store that came before them.
    fn steer(&self, state: &mut CellState<T>, to: Offset) {
        // Release: pairs with the Acquire of the second look in `attempt`, which thereby sees the occupant moved in.
        self.current.store(to, Ordering::Release);
        state.is_fence_due = true;
    }

    /// Executes the writer's fence of the switches before, if that was not done yet. To be called before a lane is summed that was
    /// current: only such sums lean on it, so whoever waits for a lane to drain waits for the kernel, and who publishes does not.
    fn settle(&self, state: &mut CellState<T>) {
        if state.is_fence_due && !is_mutated(Mutation::DropSwitchFence) {
            // For each caller: either its counting in is visible to all sums made from here on, or its second look sees
            // the store in `steer`, which the mutex orders before this.
            self.fences.heavy();
        }
        state.is_fence_due = false;
    }

    pub(crate) fn state(&self) -> &Mutex<CellState<T>> {
        &self.apart.0
    }

    /// This thread's stripe.
    #[inline]
    pub(crate) fn stripe(&self) -> &Stripe {
        self.near_stripe().unwrap_or_else(|| self.far_stripe())
    }

    /// This thread's stripe, if it is in its near table.
    #[inline(always)]
    pub(crate) fn near_stripe(&self) -> Option<&Stripe> {
        // SAFETY: as for `far_stripe`.
        thread::stripe_near(self.near).map(|stripe| unsafe { stripe.as_ref() })
    }

    /// This thread's stripe, wherever it is.
    #[cold]
    #[inline(never)]
    pub(crate) fn far_stripe(&self) -> &Stripe {
        let stripe = thread::stripe_in(self.id).unwrap_or_else(|| self.first_entry());
        // SAFETY: what the tables have under our id came from `first_entry` of this very cell, as ids are never used again.
        // The registry keeps all its stripes until the cell is dropped, which `&self` outrules.
        unsafe { stripe.as_ref() }
    }

    /// A thread that this cell does not know gets a stripe.
    fn first_entry(&self) -> NonNull<Stripe> {
        let stripe = NonNull::from(&**self.state().lock().registry.take(ThreadId::current()));
        thread::remember(self.id, stripe);
        let home: Weak<dyn ThreadExitHook> = Weak::<Self>::clone(&self.me);
        thread_exit::enlist(stripe, home);
        stripe
    }
}

impl<T: Occupant> std::fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell")
            .field("id", &self.id)
            .field("current", &self.count(Role::Current))
            .field("old", &self.count(Role::Old))
            .finish_non_exhaustive()
    }
}
