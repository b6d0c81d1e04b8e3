//! One generation's place in a cell: what callers read of it, and what the writer knows of it.

use crate::api::{Quarantine, Role, WakeRequest};
use crate::fence::Fences;
use crate::projection::{ProjectionSlots, RemovedValue};
use crate::registry::Registry;
use crate::stripe::{Counters, LANES};
use crate::sync::{AtomicPtr, AtomicU8, Mutation, Ordering, is_mutated};
use std::ptr;
use std::sync::{Arc, Weak};

/// Callers of this lane execute fences. Never changes.
const FENCED: u8 = 1;
/// Somebody waits for this lane to drain.
const WATCHED: u8 = 2;
/// Somebody wants to meet the threads that pass.
const WAKE_REQUESTED: u8 = 4;

/// What callers read of a lane. Written only under the cell's mutex, and seldom.
///
/// As large as [`Counters`], so that the two are found by the same distance from where theirs begin ([`Offset`]).
///
/// [`Offset`]: crate::current::Offset
#[repr(C, align(32))]
pub(crate) struct Lane<T> {
    /// Where the occupant is; null in a free lane. The `Arc` that owns it is in [`LaneState`].
    pub(crate) occupant: AtomicPtr<T>,
    /// What a leaver has to do beyond counting itself out: `FENCED`, `WATCHED`, `WAKE_REQUESTED`. Mostly nothing, which is one look.
    duties: AtomicU8,
    /// The cell's. Here too, so that a guard needs to know no more than its lane and its counters.
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<T> Lane<T> {
    pub(crate) fn new(fences: Fences, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let duties = if fences.is_asymmetric() { 0 } else { FENCED };
        Self { occupant: AtomicPtr::new(ptr::null_mut()), duties: AtomicU8::new(duties), wake }
    }

    /// Counts one caller out of this lane, whose counters these are.
    #[inline(always)]
    pub(crate) fn leave(&self, counters: &Counters) {
        counters.count_out();
        // With the fence in `watch`: either the sum made after it sees our counting out, or we see the flag. All that this
        // takes of us in an asymmetric pair; in the other, `FENCED` is up, always was, and `leave_slow` has the fence.
        Fences::light_if_asymmetric();
        // Relaxed: ordered by that fence. The lane may have changed hands by now; then somebody is woken for nothing.
        let duties = self.duties.load(Ordering::Relaxed);
        if duties != 0 {
            self.leave_slow(duties);
        }
    }

    /// The lane stopped being current between the guess and the second look: the entry was none.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_back(&self, counters: &Counters) {
        counters.count_retry();
        if is_mutated(Mutation::SkipCancelWake) {
            counters.count_out();
        } else {
            // As any leaver, since a sum may have seen the entry and somebody may wait for its end.
            self.leave(counters);
        }
    }

    /// What a leaver does that has more to do than to count itself out. It takes no guard, so that guards stay in registers.
    #[cold]
    #[inline(never)]
    fn leave_slow(&self, seen: u8) {
        if seen & FENCED != 0 && !is_mutated(Mutation::DropLeaveFence) {
            Fences::symmetric().light();
        }
        // Relaxed: ordered by that fence, or by the one in `leave`.
        if self.duties.load(Ordering::Relaxed) & (WATCHED | WAKE_REQUESTED) != 0 {
            (self.wake)();
        }
    }

    /// Moves `occupant` in. Nobody can be inside: nobody can call a lane before it is published.
    pub(crate) fn set_occupant(&self, occupant: &Arc<T>) {
        // Relaxed: carried to callers by the Release store of `current`, which comes after this.
        self.occupant.store(Arc::as_ptr(occupant).cast_mut(), Ordering::Relaxed);
    }

    /// Empties a lane that is drained or was never published.
    pub(crate) fn clear(&self) {
        self.unwatch();
        self.request_wake(WakeRequest::Off);
        self.occupant.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// From now on leavers wake. To be followed by the writer's side of the pair of fences.
    pub(crate) fn watch(&self) {
        // Relaxed, and no read-modify-write: only the holder of the cell's mutex writes it. The fences of this pair order it
        // against the leaver's `left`.
        self.duties.store(self.duties.load(Ordering::Relaxed) | WATCHED, Ordering::Relaxed);
    }

    pub(crate) fn unwatch(&self) {
        // Relaxed: who still sees the flag up wakes somebody once too often, which is allowed.
        self.duties.store(self.duties.load(Ordering::Relaxed) & !WATCHED, Ordering::Relaxed);
    }

    /// Under the cell's mutex, as both above.
    pub(crate) fn request_wake(&self, request: WakeRequest) {
        let duties = self.duties.load(Ordering::Relaxed);
        let duties =
            if request == WakeRequest::On { duties | WAKE_REQUESTED } else { duties & !WAKE_REQUESTED };
        // Relaxed: whoever does not see it in time passes unseen, which is allowed, or wakes once too often, which is too.
        self.duties.store(duties, Ordering::Relaxed);
    }
}

/// What the writer knows of a lane.
#[derive(Debug)]
pub(crate) enum LaneState<T> {
    Free,
    /// Taken by a candidate that nobody can call yet.
    Reserved(Arc<T>),
    Current(Arc<T>),
    Old(Arc<T>),
    /// It was old, and keeps its lane for as long as somebody is inside. The number tells it from an earlier one.
    Quarantined(Arc<T>, u64),
}

/// Everything that the cell's mutex guards.
pub(crate) struct CellState<T> {
    pub(crate) states: [LaneState<T>; LANES],
    /// The calls that each lane had seen when its occupant moved in.
    pub(crate) calls_before: [u64; LANES],
    pub(crate) registry: Registry,
    /// Whether `current` was stored to since the last heavy fence. No lane that was current is summed before that is made up for.
    pub(crate) is_fence_due: bool,
    /// How many occupants were ever put in quarantine.
    pub(crate) quarantines: u64,
    /// Those that somebody has.
    pub(crate) projections: Vec<Weak<dyn ProjectionSlots<T>>>,
}

/// A side that was moved out, with its projection, which nobody else may have any more. Only dropped.
pub(crate) struct Cleared<T> {
    _side: Option<Box<dyn RemovedValue>>,
    _facet: Arc<dyn ProjectionSlots<T>>,
}

impl<T> CellState<T> {
    pub(crate) fn new() -> Self {
        Self {
            states: std::array::from_fn(|_| LaneState::Free),
            calls_before: [0; LANES],
            registry: Registry::default(),
            is_fence_due: false,
            quarantines: 0,
            projections: Vec::new(),
        }
    }

    pub(crate) fn current(&self) -> Option<(usize, &Arc<T>)> {
        self.find(|state| if let LaneState::Current(occupant) = state { Some(occupant) } else { None })
    }

    pub(crate) fn old(&self) -> Option<(usize, &Arc<T>)> {
        self.find(|state| if let LaneState::Old(occupant) = state { Some(occupant) } else { None })
    }

    /// The lane of the occupant that is meant.
    pub(crate) fn lane_of(&self, which: Role) -> Option<usize> {
        let found = match which {
            Role::Current => self.current(),
            Role::Old => self.old(),
            Role::Quarantined(name) => {
                let LaneState::Quarantined(_, number) = &self.states[name.lane] else { return None };
                return (*number == name.number).then_some(name.lane);
            }
        };
        found.map(|(lane, _)| lane)
    }

    /// The same, for one that new calls cannot reach.
    pub(crate) fn retired_lane(&self, which: Role) -> Option<usize> {
        if which == Role::Current { None } else { self.lane_of(which) }
    }

    /// Who can be, or has been, called in a lane.
    pub(crate) fn occupant(&self, lane: usize) -> Option<&Arc<T>> {
        match &self.states[lane] {
            LaneState::Free | LaneState::Reserved(_) => None,
            LaneState::Current(occupant) | LaneState::Old(occupant) | LaneState::Quarantined(occupant, _) => {
                Some(occupant)
            }
        }
    }

    pub(crate) fn has_candidate(&self) -> bool {
        self.states.iter().any(|state| matches!(state, LaneState::Reserved(_)))
    }

    /// Empties a lane's state and hands its occupant out, so that the caller can drop it after the mutex.
    pub(crate) fn take(&mut self, lane: usize) -> Option<Arc<T>> {
        match std::mem::replace(&mut self.states[lane], LaneState::Free) {
            LaneState::Free => None,
            LaneState::Reserved(occupant)
            | LaneState::Current(occupant)
            | LaneState::Old(occupant)
            | LaneState::Quarantined(occupant, _) => Some(occupant),
        }
    }

    /// All occupants, by lane.
    pub(crate) fn occupants(&self) -> Vec<(usize, Arc<T>)> {
        let occupant = |(lane, state): (usize, &LaneState<T>)| match state {
            LaneState::Free => None,
            LaneState::Reserved(occupant)
            | LaneState::Current(occupant)
            | LaneState::Old(occupant)
            | LaneState::Quarantined(occupant, _) => Some((lane, Arc::clone(occupant))),
        };
        self.states.iter().enumerate().filter_map(occupant).collect()
    }

    /// The projections that somebody has.
    pub(crate) fn live_projections(&self) -> Vec<Arc<dyn ProjectionSlots<T>>> {
        self.projections.iter().filter_map(Weak::upgrade).collect()
    }

    /// Moves the sides of a lane's occupant out, to be dropped out of the mutex and before the occupant is handed out.
    #[must_use = "they are to be dropped out of the mutex"]
    pub(crate) fn clear_projections(&self, lane: usize) -> Vec<Cleared<T>> {
        let clear = |projection: Arc<dyn ProjectionSlots<T>>| Cleared {
            _side: projection.clear(lane),
            _facet: projection,
        };
        self.live_projections().into_iter().map(clear).collect()
    }

    /// Whether callers can be, or have been, inside the lane's occupant.
    pub(crate) fn is_open(&self, lane: usize) -> bool {
        self.occupant(lane).is_some()
    }

    /// Puts the old occupant in quarantine, in its lane.
    pub(crate) fn quarantine_old(&mut self) -> Option<Quarantine> {
        let (lane, _) = self.old()?;
        let occupant = self.take(lane)?;
        self.quarantines += 1;
        self.states[lane] = LaneState::Quarantined(occupant, self.quarantines);
        Some(Quarantine { lane, number: self.quarantines })
    }

    /// Makes the current old, in the state only.
    pub(crate) fn retire_current(&mut self) -> Option<Arc<T>> {
        let (lane, _) = self.current()?;
        let occupant = self.take(lane)?;
        self.states[lane] = LaneState::Old(Arc::clone(&occupant));
        Some(occupant)
    }

    /// Makes the current old and `next` current, in the state only.
    pub(crate) fn switch(&mut self, next: usize) -> Option<Arc<T>> {
        let next_occupant = self.take(next)?;
        let previous = self.retire_current();
        self.states[next] = LaneState::Current(next_occupant);
        previous
    }

    fn find<'a>(
        &'a self,
        pick: impl Fn(&'a LaneState<T>) -> Option<&'a Arc<T>>,
    ) -> Option<(usize, &'a Arc<T>)> {
        self.states.iter().enumerate().find_map(|(lane, state)| Some((lane, pick(state)?)))
    }
}
