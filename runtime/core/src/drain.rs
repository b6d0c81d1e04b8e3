//! The writer's operations that look at the callers inside an occupant: counting, watching, and taking it out
//! when drained.

use crate::api::{Count, Role, ThreadCalls, VacateOutcome, WakeRequest};
use crate::cell::Cell;
use crate::cell_state::CellState;
use crate::mutation::{Mutation, is_mutated};
use crate::occupant::Occupant;
use crate::thread::ThreadId;

impl<T: Occupant> Cell<T> {
    /// The counters of an occupant. `None` if there is no such occupant.
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
    /// let count = cell.count(Role::Current).expect("version 1 is current");
    /// assert_eq!((count.inside, count.calls), (1, 1));
    /// drop(guard);
    /// let count = cell.count(Role::Current).expect("version 1 is current");
    /// assert_eq!((count.inside, count.calls), (0, 1));
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn count(&self, role: Role) -> Option<Count> {
        let mut state = self.state().lock();
        let lane = state.lane_of(role)?;
        self.run_due_fence(&mut state);
        let (entered, left) = self.counters(&state, lane, role);
        let inside = entered.iter().sum::<u64>().saturating_sub(left.iter().sum());
        let calls = state.registry.tally(lane).calls();
        Some(Count { inside, calls: calls.saturating_sub(state.calls_before[lane]) })
    }

    /// The threads that are or were inside an occupant, and have not exited.
    ///
    /// The list may include a thread that only tried to enter: at the moment of a publish, or through a
    /// projection that has no value for this occupant. It includes every thread that was inside, with two
    /// exceptions: a thread that only borrowed a `&T` from another thread's guard, and a thread that entered
    /// after its exit hooks had run and has since ended.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role, ThreadId};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// drop(cell.enter());
    /// assert_eq!(cell.visitors(Role::Current), [ThreadId::current()]);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn visitors(&self, role: Role) -> Vec<ThreadId> {
        let mut state = self.state().lock();
        // Makes entries visible that their threads have completed.
        self.fences.heavy();
        state.is_fence_due = false;
        state.lane_of(role).map(|lane| state.registry.visitors(lane)).unwrap_or_default()
    }

    /// The calls inside an occupant, by thread. Derived from the counters, so it costs callers nothing.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role, ThreadId};
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
    pub fn calls_by_thread(&self, role: Role) -> Vec<ThreadCalls> {
        let mut state = self.state().lock();
        // Makes entries visible that their threads have completed.
        self.fences.heavy();
        state.is_fence_due = false;
        let Some(lane) = state.lane_of(role) else { return Vec::new() };
        let (entered, left) = self.counters(&state, lane, role);
        state.registry.calls_by_thread(lane, &entered, &left)
    }

    /// Reads `entered` and `left` of each stripe, in the order that is right for the role.
    ///
    /// Counters of a current occupant move meanwhile. With `entered` read first, the difference is at most
    /// the number of callers that were inside at the fence. With `left` read first, it would include each
    /// call that began between the two readings. An occupant that is not current gets no new callers, and
    /// zero must mean drained: with `entered` read first, an entry that is cancelled meanwhile would hide a
    /// caller.
    fn counters(&self, state: &CellState<T>, lane: usize, role: Role) -> (Vec<u64>, Vec<u64>) {
        let registry = &state.registry;
        if role != Role::Current || is_mutated(Mutation::CountLeftFirst) {
            let left = registry.left(lane);
            return (registry.entered(lane), left);
        }
        let entered = registry.entered(lane);
        // For each caller: every counting out that came before an entry in the first reading is visible to
        // the second.
        self.fences.heavy();
        (entered, registry.left(lane))
    }

    /// Makes callers that leave the current occupant call `wake`, or ends that. Use it to notice threads that
    /// pass through.
    ///
    /// It applies to the occupant that is current now, so repeat it after a publish. It is best effort,
    /// unlike [`watch`](Cell::watch): a caller may leave without a wake.
    pub fn request_wake(&self, request: WakeRequest) {
        let state = self.state().lock();
        if let Some((lane, _)) = state.current() {
            self.lanes[lane].request_wake(request);
        }
    }

    /// Watches an occupant that is not current: from now on each caller that leaves it calls `wake`.
    ///
    /// To wait until the occupant is drained, watch it, then try [`vacate`](Cell::vacate), then wait for
    /// `wake`, then try again. A caller that leaves in between is noticed by the attempt or by `wake`. The
    /// watch ends when the occupant is taken out or rolled back to.
    pub fn watch(&self, role: Role) {
        let mut state = self.state().lock();
        let Some(lane) = state.retired_lane(role) else { return };
        self.lanes[lane].watch();
        if !is_mutated(Mutation::DropWatchFence) {
            // For each leaving caller: either its counting out is visible to the sums made after this, or it
            // sees the flag.
            self.fences.heavy();
        }
        // That fence also came after the switch, so it serves both.
        state.is_fence_due = false;
    }

    /// Takes an occupant out if no caller is inside. Its lane is then free again. The current occupant cannot
    /// be taken out: the result is [`VacateOutcome::Absent`].
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, Role, VacateOutcome};
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
    pub fn vacate(&self, role: Role) -> VacateOutcome<T> {
        let mut state = self.state().lock();
        let Some(lane) = state.retired_lane(role) else { return VacateOutcome::Absent };
        // Executes the heavy fence if none has come since this lane was current. An entry that these sums do
        // not see will find at its recheck that the lane is not current. A thread without a stripe gets one
        // only under the mutex that we hold.
        self.run_due_fence(&mut state);
        let tally = state.registry.tally(lane);
        if !tally.is_drained() {
            return VacateOutcome::Busy { inside: tally.inside() };
        }
        self.lanes[lane].clear();
        let cleared = state.clear_projections(lane);
        let occupant = state.take(lane);
        drop(state);
        // The values share ownership of the occupant.
        drop(cleared);
        occupant.map_or(VacateOutcome::Absent, VacateOutcome::Vacated)
    }

    /// Executes the writer's fence for the stores of `current` since the last one, if there were any.
    ///
    /// Call it before you sum a lane that was current, because only such sums depend on the fence. A writer
    /// that waits for a drain therefore pays for the system call, and a publisher does not.
    fn run_due_fence(&self, state: &mut CellState<T>) {
        if state.is_fence_due && !is_mutated(Mutation::DropSwitchFence) {
            // For each caller: either its counting in is visible to all sums made from here on, or its
            // recheck sees the store in `set_current`, which the mutex orders before this.
            self.fences.heavy();
        }
        state.is_fence_due = false;
    }
}
