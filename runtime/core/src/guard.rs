//! The caller's side: in, and out.

use crate::cell::{Cell, Occupant};
use crate::current::Offset;
use crate::fence::Fences;
use crate::stripe::{Counters, LANES, Stripe};
use crate::sync::{Mutation, Ordering, is_mutated};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// A caller inside an occupant, counted out when this is dropped. It stays on its thread.
///
/// ```compile_fail,E0277
/// use segue_core::{CallGuard, Occupant};
///
/// fn elsewhere<T: Occupant>(guard: CallGuard<'static, T>) {
///     std::thread::spawn(move || drop(guard));
/// }
/// ```
/// What does move to another thread is an [`OwnedCallGuard`]:
/// ```
/// use segue_core::{Occupant, OwnedCallGuard};
///
/// fn elsewhere<T: Occupant>(guard: OwnedCallGuard<T>) {
///     std::thread::spawn(move || drop(guard));
/// }
/// ```
#[must_use = "a guard that is dropped counts the caller out"]
pub struct CallGuard<'a, T: Occupant> {
    place: Place<'a, T>,
    occupant: NonNull<T>,
    /// Counting out writes the counters, which only their own thread may.
    stays: PhantomData<*const ()>,
}

/// Where a caller is that has been counted in: what guards are made of. Whoever has one counts it out, once.
pub(crate) struct Place<'a, T: Occupant> {
    cell: &'a Cell<T>,
    offset: Offset,
    /// The caller's, of that lane.
    counters: &'a Counters,
}

impl<T: Occupant> Place<'_, T> {
    #[inline(always)]
    pub(crate) fn offset(&self) -> Offset {
        self.offset
    }

    /// Whether the caller went where nobody lives, since there was no current lane.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.offset == Offset::NOWHERE
    }

    /// The occupant that the caller is inside; none nowhere. By the argument in [`Cell::attempt`], it stays until the caller
    /// leaves.
    #[inline(always)]
    pub(crate) fn occupant(&self) -> Option<NonNull<T>> {
        // Relaxed: as is said there.
        NonNull::new(self.offset.within(&self.cell.lanes).occupant.load(Ordering::Relaxed))
    }

    /// Counts the caller out.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        self.offset.within(&self.cell.lanes).leave(self.counters);
    }

    /// Counts the caller out, of what was no call.
    #[inline(always)]
    pub(crate) fn take_back(&self) {
        self.offset.within(&self.cell.lanes).take_back(self.counters);
    }
}

/// A caller inside an occupant, who may move to another thread and be counted out there. It keeps the cell.
///
/// Each thread that dereferences it is noted as a visitor of the occupant, and departs from it when it exits. For a thread that
/// has never entered the cell this is its first entry, with what that costs ([`Cell::enter`]); so is counting out there.
#[must_use = "a guard that is dropped counts the caller out"]
pub struct OwnedCallGuard<T: Occupant> {
    cell: Arc<Cell<T>>,
    lane: Offset,
    occupant: NonNull<T>,
}

// SAFETY: what it gives access to is a `&T`, and `T` is Sync; it may drop the cell, whose occupants are Send; and counting out
// uses the stripe of the thread that it is dropped on.
unsafe impl<T: Occupant> Send for OwnedCallGuard<T> {}
// SAFETY: a shared guard gives access to a `&T`, and `T` is Sync; noting a visit writes the stripe of the calling thread only.
unsafe impl<T: Occupant> Sync for OwnedCallGuard<T> {}

impl<T: Occupant> Cell<T> {
    /// Enters the current occupant. None if there is none.
    ///
    /// # Performance
    /// Warm, about a dozen instructions and no write to a line that another thread writes. A thread's first entry into a cell
    /// takes a mutex and allocates. Where two publishes follow each other while a caller is on its way in, it tries again.
    ///
    /// # Not from a signal handler
    /// The counters are plain loads and stores of their thread. A handler that interrupts one and enters would be lost to them.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let version = cell.enter().expect("version 1 is current");
    /// assert_eq!(version.0, 1);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    #[inline(always)] // Else the guard would be made in memory.
    pub fn enter(&self) -> Option<CallGuard<'_, T>> {
        let (place, _) = self.count_in();
        match place.occupant() {
            Some(occupant) => Some(CallGuard { place, occupant, stays: PhantomData }),
            None => {
                place.take_back();
                None
            }
        }
    }

    /// Enters the current occupant, with a guard that may be dropped on another thread. None if there is none.
    ///
    /// # Performance
    /// As [`enter`](Cell::enter), and two updates of the cell's reference count, which is a line that threads share.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let version = cell.enter_owned().expect("version 1 is current");
    /// let number = std::thread::spawn(move || version.0).join();
    /// assert_eq!(number.expect("the thread returns"), 1);
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    #[inline]
    pub fn enter_owned(self: &Arc<Self>) -> Option<OwnedCallGuard<T>> {
        let (place, stripe) = self.count_in();
        let Some(occupant) = place.occupant() else {
            place.take_back();
            return None;
        };
        stripe.lend();
        Some(OwnedCallGuard { cell: Arc::clone(self), lane: place.offset, occupant })
    }

    /// Counts the calling thread into the current lane, or nowhere. With where that is, the thread's stripe.
    ///
    /// The stripe is looked for before `current`: a thread that gets its stripe now is seen by all sums made later, and sees in
    /// `current` all that was stored before the sums made earlier.
    #[inline(always)]
    pub(crate) fn count_in(&self) -> (Place<'_, T>, &Stripe) {
        let (stripe, offset) = match self.near_stripe() {
            // Who finds its stripe so near need not execute a fence.
            Some(stripe) => {
                let offset = self.attempt(stripe, Fences::light_if_asymmetric);
                (stripe, offset.unwrap_or_else(|| self.enter_slow(stripe)))
            }
            None => {
                let stripe = self.far_stripe();
                (stripe, self.enter_slow(stripe))
            }
        };
        (Place { cell: self, offset, counters: stripe.at(offset) }, stripe)
    }

    /// As [`attempt`](Cell::attempt), until it succeeds, out of the way: where callers execute a fence, the first attempt has
    /// failed, or the stripe is far. It answers in a register, so that a guard is never made in memory.
    #[cold]
    #[inline(never)]
    fn enter_slow(&self, stripe: &Stripe) -> Offset {
        loop {
            if let Some(offset) = self.attempt(stripe, || self.fences.light()) {
                return offset;
            }
        }
    }

    /// Counts the owner of `stripe` into the lane that is thought to be current. None, and taken back, if it is not.
    /// `light` is the caller's side of this cell's fences.
    #[inline(always)]
    fn attempt(&self, stripe: &Stripe, light: impl FnOnce()) -> Option<Offset> {
        // Relaxed: a guess, which the second look confirms.
        let offset = self.current.load(Ordering::Relaxed);
        let counters = stripe.at(offset);
        counters.count_in();
        if !is_mutated(Mutation::DropEnterFence) {
            light();
        }
        // Acquire: pairs with the Release in `steer`; whoever sees a lane current sees its occupant moved in.
        if self.current.load(Ordering::Acquire) == offset || is_mutated(Mutation::SkipRecheck) {
            // Why what the lane's `occupant` says from now on is the occupant that our `entered` holds in it, although the lane may
            // have changed hands since the guess (lane 0 with generation 1, lane 1 with 2, lane 0 with 3). Let P be the
            // store of `current` that the second look read, and G the generation that it published.
            //
            // 1. G is still current when we leave. Then nobody has taken it out.
            // 2. A store S of `current`, of another lane or of none, came after P. The second look did not see S, so by
            //    the pair of fences all sums made after S see our `entered`. G is taken out by such a sum if it equals
            //    that of `left`, so not before our `left`, whose Release comes after our loads: neither the clearing of
            //    the lane nor a later occupant can be what they read.
            // 3. As 2, but S was undone by a rollback, perhaps many times. G never left its lane between, since only a
            //    sum takes it out, and each sum comes after some S that 2 holds for.
            //
            // An older occupant it cannot read either: P is a Release after G moved in, and the second look an Acquire.
            // Nor was our `entered` booked for an earlier generation, though it may have been counted before G moved in:
            // a lane is given away only if each entry that its baselines include is over, and ours is not. So G's count
            // of calls and its list of visitors have us.
            //
            // In all cases, it is G's, and it stays until we leave. The same is so of whatever else there is one of for each lane,
            // is moved in before the lane is published, and is cleared when it is drained: the sides of projections.
            //
            // Nowhere, there is no occupant, and nothing that could go.
            return Some(offset);
        }
        offset.within(&self.lanes).take_back(counters);
        None
    }

    /// Counts the calling thread, which exits, once more into each occupant that it has visited. No calls.
    pub(crate) fn enter_to_depart<'a>(&'a self, stripe: &'a Stripe) -> Vec<(usize, CallGuard<'a, T>)> {
        let state = self.state().lock();
        let visited = (0..LANES).filter(|lane| state.is_open(*lane) && stripe.lane(*lane).visited());
        let enter = |number: usize| {
            let place = Place { cell: self, offset: Offset::of(number), counters: stripe.lane(number) };
            // No second look: the lane cannot change hands while we hold the mutex, and who sums next holds it after us.
            let occupant = place.occupant()?;
            place.counters.count_in();
            place.counters.count_retry();
            Some((number, CallGuard { place, occupant, stays: PhantomData }))
        };
        visited.filter_map(enter).collect()
    }
}

impl<T: Occupant> OwnedCallGuard<T> {
    pub(crate) fn is_of(&self, cell: &Arc<Cell<T>>) -> bool {
        Arc::ptr_eq(&self.cell, cell)
    }

    pub(crate) fn lane(&self) -> Offset {
        self.lane
    }

    /// Lists the calling thread, which need not be the one that entered, among the visitors.
    #[inline]
    pub(crate) fn note_visit(&self) {
        let counters = self.cell.stripe().at(self.lane);
        if !counters.visited() {
            // In and out at once. The lane is ours as long as this guard lives, so there is nothing to look at again.
            counters.count_in();
            counters.count_retry();
            counters.count_out();
        }
    }
}

impl<T: Occupant> Deref for CallGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the occupant stays in its lane, and so in memory, while we are counted in, which ends with this guard.
        unsafe { self.occupant.as_ref() }
    }
}

impl<T: Occupant> Deref for OwnedCallGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.note_visit();
        // SAFETY: the occupant stays in its lane, and so in memory, while we are counted in, which ends with this guard.
        unsafe { self.occupant.as_ref() }
    }
}

impl<T: Occupant> Drop for CallGuard<'_, T> {
    #[inline(always)] // Else the guard would have to be in memory, whose address this takes.
    fn drop(&mut self) {
        self.place.leave();
    }
}

impl<T: Occupant> Drop for OwnedCallGuard<T> {
    #[inline]
    fn drop(&mut self) {
        let stripe = self.cell.stripe();
        stripe.settle();
        self.lane.within(&self.cell.lanes).leave(stripe.at(self.lane));
    }
}

impl<T: Occupant + fmt::Debug> fmt::Debug for CallGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallGuard").field(&**self).finish()
    }
}

impl<T: Occupant + fmt::Debug> fmt::Debug for OwnedCallGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedCallGuard").field(&**self).finish()
    }
}
