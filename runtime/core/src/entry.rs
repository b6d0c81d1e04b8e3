//! Counting a caller into the current lane, and the argument why its occupant then stays.

use crate::cell::Cell;
use crate::cell_state::CellState;
use crate::current::LaneOffset;
use crate::fence::Fences;
use crate::mutation::{Mutation, is_mutated};
use crate::occupant::Occupant;
use crate::stripe::{Counters, Stripe};
use crate::sync::Ordering;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// A caller that is counted into a lane. Guards are made from it. The holder counts the caller out, exactly
/// once.
pub(crate) struct Entry<'a, T: Occupant> {
    cell: &'a Cell<T>,
    offset: LaneOffset,
    /// The caller's counters of that lane.
    counters: &'a Counters,
}

impl<'a, T: Occupant> Entry<'a, T> {
    /// Counts the owner of `stripe` into a lane, as an entry that is not a call. `None` if the lane is empty.
    ///
    /// It needs no recheck: the lane keeps its occupant while the mutex is held, and the next writer that
    /// sums locks the mutex after us.
    pub(crate) fn under_mutex(
        cell: &'a Cell<T>,
        _locked: &CellState<T>,
        lane: usize,
        stripe: &'a Stripe,
    ) -> Option<(Self, NonNull<T>)> {
        let entry = Entry { cell, offset: LaneOffset::of(lane), counters: stripe.lane(lane) };
        let occupant = entry.occupant()?;
        entry.counters.count_in();
        entry.counters.count_non_call();
        Some((entry, occupant))
    }

    #[inline(always)]
    pub(crate) fn offset(&self) -> LaneOffset {
        self.offset
    }

    /// Whether the caller is in the null lane, because no lane was current.
    pub(crate) fn is_in_null_lane(&self) -> bool {
        self.offset == LaneOffset::NULL
    }

    /// The occupant that the caller is inside; `None` in the null lane. By the argument in
    /// [`Cell::try_enter`], it stays until the caller leaves.
    #[inline(always)]
    pub(crate) fn occupant(&self) -> Option<NonNull<T>> {
        // Relaxed: see `Cell::try_enter`.
        NonNull::new(self.offset.select(&self.cell.lanes).occupant.load(Ordering::Relaxed))
    }

    /// Counts the caller out.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        self.offset.select(&self.cell.lanes).leave(self.counters);
    }

    /// Counts the caller out. The entry does not count as a call.
    #[inline(always)]
    pub(crate) fn cancel(&self) {
        self.offset.select(&self.cell.lanes).cancel_entry(self.counters);
    }
}

impl<T: Occupant> Cell<T> {
    /// Whether a caller that enters now reaches this occupant. It enters and leaves like every caller, and
    /// does not count as a call.
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
    /// assert_eq!(cell.count(Role::Current).expect("version 1 is current").calls, 0);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn is_current(&self, occupant: &Arc<T>) -> bool {
        let (entry, _) = self.enter_lane();
        let is_same = entry.occupant().is_some_and(|found| ptr::eq(found.as_ptr(), Arc::as_ptr(occupant)));
        entry.cancel();
        is_same
    }

    /// Counts the calling thread into the current lane, or into the null lane. Also returns the thread's
    /// stripe.
    ///
    /// It finds the stripe before it reads `current`. If the thread gets its stripe now, all later sums
    /// include it, and its read of `current` sees every store that came before an earlier sum.
    #[inline(always)]
    pub(crate) fn enter_lane(&self) -> (Entry<'_, T>, &Stripe) {
        let (stripe, offset) = match self.near_stripe() {
            // Found in the near table: the callers of this cell need no fence (see `Cell::near`).
            Some(stripe) => {
                let offset = self.try_enter(stripe, Fences::light_if_asymmetric);
                (stripe, offset.unwrap_or_else(|| self.enter_slow(stripe)))
            }
            None => {
                let stripe = self.far_stripe();
                (stripe, self.enter_slow(stripe))
            }
        };
        (Entry { cell: self, offset, counters: stripe.lane_at(offset) }, stripe)
    }

    /// Repeats [`try_enter`](Cell::try_enter) until it succeeds. Used if callers execute a fence, if the
    /// first attempt failed, or if the stripe is in the far table. It returns in a register, so that a guard
    /// is never made in memory.
    #[cold]
    #[inline(never)]
    fn enter_slow(&self, stripe: &Stripe) -> LaneOffset {
        loop {
            if let Some(offset) = self.try_enter(stripe, || self.fences.light()) {
                return offset;
            }
        }
    }

    /// Counts the owner of `stripe` into the lane that seems to be current. If it is not, cancels the entry
    /// and returns `None`. `light` is the caller's side of this cell's fences.
    #[inline(always)]
    fn try_enter(&self, stripe: &Stripe, light: impl FnOnce()) -> Option<LaneOffset> {
        // Relaxed: the recheck confirms this first read.
        let offset = self.current.load(Ordering::Relaxed);
        let counters = stripe.lane_at(offset);
        counters.count_in();
        if !is_mutated(Mutation::DropEnterFence) {
            light();
        }
        // Acquire: pairs with the Release in `set_current`. A caller that sees a lane as current sees its
        // occupant.
        if self.current.load(Ordering::Acquire) == offset || is_mutated(Mutation::SkipRecheck) {
            // Claim: from here until we leave, our reads of the lane's `occupant` return the occupant that
            // our `entered` keeps in the lane. This is not obvious, because the lane may have changed
            // occupants since the first read (generation 1 in lane 0, 2 in lane 1, 3 in lane 0). Let P be the
            // store of `current` that the recheck read, and G the generation that P published.
            //
            // 1. G is still current when we leave. Then nobody has taken it out.
            // 2. A store S of `current`, to another lane or to the null lane, came after P. The recheck did
            //    not see S. By the pair of fences, all sums made after S see our `entered`. Such a sum takes
            //    G out only if it equals the sum of `left`, so not before our `left`. The Release of our
            //    `left` comes after our loads, so they read neither the clearing of the lane nor a later
            //    occupant.
            // 3. As 2, but a rollback undid S, perhaps many times. G stayed in its lane throughout: only a
            //    sum takes it out, and each sum comes after some S for which 2 holds.
            //
            // Our reads cannot return an earlier occupant either: P is a Release that comes after G was put
            // into the lane, and the recheck is an Acquire.
            //
            // Our `entered` is not attributed to an earlier generation, although it may have been counted
            // before G was put into the lane. A lane is reused only if every entry that its baselines include
            // is over, and ours is not. So G's count of calls and its list of visitors include us.
            //
            // In all cases we read G, and G stays until we leave. The same holds for everything else that
            // exists once per lane, is put in before the lane is published, and is cleared when the lane is
            // drained: the slots of projections.
            //
            // The null lane has no occupant, so nothing can be taken out of it.
            return Some(offset);
        }
        offset.select(&self.lanes).cancel_entry(counters);
        None
    }
}
