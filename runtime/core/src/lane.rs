//! The part of a lane that callers read.

use crate::api::WakeRequest;
use crate::fence::Fences;
use crate::mutation::{Mutation, is_mutated};
use crate::stripe::Counters;
use crate::sync::{AtomicPtr, AtomicU8, Ordering};
use std::ptr;
use std::sync::Arc;

/// Callers of this lane execute fences. This flag never changes.
const FENCED: u8 = 1;
/// A writer waits for this lane to drain.
const WATCHED: u8 = 2;
/// The callers that leave have been requested to wake.
const WAKE_REQUESTED: u8 = 4;

/// The part of a lane that callers read. It is written rarely, and only under the cell's mutex.
///
/// It is as large as [`Counters`], so that one [`LaneOffset`] finds both.
///
/// [`LaneOffset`]: crate::current::LaneOffset
#[repr(C, align(32))]
pub(crate) struct Lane<T> {
    /// The address of the occupant; null in a free lane. The owning `Arc` is in the cell's state.
    pub(crate) occupant: AtomicPtr<T>,
    /// What a leaving caller must do besides counting itself out: `FENCED`, `WATCHED`, `WAKE_REQUESTED`.
    /// Usually zero, which costs one check.
    leave_flags: AtomicU8,
    /// The cell's `wake`. Repeated here so that a guard needs only its lane and its counters.
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<T> Lane<T> {
    pub(crate) fn new(fences: Fences, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let flags = if fences.is_asymmetric() { 0 } else { FENCED };
        Self { occupant: AtomicPtr::new(ptr::null_mut()), leave_flags: AtomicU8::new(flags), wake }
    }

    /// Counts one caller out of this lane. `counters` must be those of this lane.
    #[inline(always)]
    pub(crate) fn leave(&self, counters: &Counters) {
        counters.count_out();
        // Pairs with the fence in `Cell::watch`: either the sum made after that fence sees our counting out,
        // or we see the flag. An asymmetric pair needs no more here. In a symmetric pair, `FENCED` is always
        // set, and `leave_slow` has the fence.
        Fences::light_if_asymmetric();
        // Relaxed: ordered by that fence. The lane may have another occupant by now. The wake is then
        // superfluous.
        let flags = self.leave_flags.load(Ordering::Relaxed);
        if flags != 0 {
            self.leave_slow(flags);
        }
    }

    /// Cancels an entry: the lane stopped being current between the first read and the recheck, or it has
    /// nothing to show.
    #[cold]
    #[inline(never)]
    pub(crate) fn cancel_entry(&self, counters: &Counters) {
        counters.count_non_call();
        if is_mutated(Mutation::SkipCancelWake) {
            counters.count_out();
        } else {
            // Like any leaving caller: a sum may have seen the entry, and a writer may wait for its end.
            self.leave(counters);
        }
    }

    /// The rest of leaving if any flag is set. It takes no guard, so that guards stay in registers.
    #[cold]
    #[inline(never)]
    fn leave_slow(&self, seen: u8) {
        if seen & FENCED != 0 && !is_mutated(Mutation::DropLeaveFence) {
            Fences::symmetric().light();
        }
        // Relaxed: ordered by that fence, or by the one in `leave`.
        if self.leave_flags.load(Ordering::Relaxed) & (WATCHED | WAKE_REQUESTED) != 0 {
            (self.wake)();
        }
    }

    /// Puts `occupant` into the lane. No caller is inside, because nobody can enter a lane before it is
    /// published.
    pub(crate) fn set_occupant(&self, occupant: &Arc<T>) {
        // Relaxed: the Release store of `current`, which comes later, makes it visible to callers.
        self.occupant.store(Arc::as_ptr(occupant).cast_mut(), Ordering::Relaxed);
    }

    /// Empties a lane that is drained or was never published.
    pub(crate) fn clear(&self) {
        self.unwatch();
        self.request_wake(WakeRequest::Off);
        self.occupant.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Makes leaving callers wake from now on. Call it under the cell's mutex, and execute the writer's fence
    /// afterwards.
    pub(crate) fn watch(&self) {
        // Relaxed, and no read-modify-write: only the holder of the cell's mutex writes the flags. The fences
        // of this pair order the store against the leaving caller's `left`.
        self.leave_flags.store(self.leave_flags.load(Ordering::Relaxed) | WATCHED, Ordering::Relaxed);
    }

    /// Ends the watch. Call it under the cell's mutex.
    pub(crate) fn unwatch(&self) {
        // Relaxed: a caller that still sees the flag wakes once too often, which is allowed.
        self.leave_flags.store(self.leave_flags.load(Ordering::Relaxed) & !WATCHED, Ordering::Relaxed);
    }

    /// Sets or clears `WAKE_REQUESTED`. Call it under the cell's mutex.
    pub(crate) fn request_wake(&self, request: WakeRequest) {
        let flags = self.leave_flags.load(Ordering::Relaxed);
        let flags = if request == WakeRequest::On { flags | WAKE_REQUESTED } else { flags & !WAKE_REQUESTED };
        // Relaxed: a caller that sees the change late leaves without a wake, or wakes once too often. Both
        // are allowed.
        self.leave_flags.store(flags, Ordering::Relaxed);
    }
}
