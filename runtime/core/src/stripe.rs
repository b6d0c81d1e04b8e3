//! One thread's counters in one cell. Only that thread writes them, so plain loads and stores are enough.

use crate::current::{LANE_SLOTS, LaneOffset};
use crate::mutation::{Mutation, is_mutated};
use crate::sync::{AtomicU64, Ordering};

/// One thread's counters of one lane. They only ever grow, even when the lane gets another occupant.
///
/// # Synchronization
/// Only the stripe's owner writes `entered`, `left` and `non_calls`. `baseline` is written under the cell's
/// mutex. It does not change while its thread is counted in.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Counters {
    /// How often this thread counted itself in.
    entered: AtomicU64,
    /// How often this thread counted a caller out: itself, or an owned guard that another thread had made.
    left: AtomicU64,
    /// How many of `entered` were not calls: entries that were cancelled, and entries of a thread that exits.
    non_calls: AtomicU64,
    /// `entered` when the lane got its present occupant, or when the stripe's last owner exited.
    baseline: AtomicU64,
}

/// Adds 1 to a counter that no other thread writes.
#[inline(always)]
fn increment(counter: &AtomicU64, store_ordering: Ordering) {
    // Relaxed load: it reads our own last store, or that of an earlier owner, which the cell's mutex ordered
    // before us.
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), store_ordering);
}

/// Returns the same reference, and hides from the compiler that the address is a sum of two others.
///
/// Each call adds one to the value that the previous call stored. Processors with memory renaming (Zen 2,
/// Golden Cove, and later) forward this value without the store buffer if the address is a register plus a
/// constant. If the address is one register plus another, as the compiler would write it, they do not, and
/// each call waits about 5 cycles for the previous one.
#[inline(always)]
fn in_one_register(counters: &Counters) -> &Counters {
    #[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
    {
        let mut address: *const Counters = counters;
        // SAFETY: the assembly has no instruction and leaves the register unchanged.
        #[expect(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written through it")]
        unsafe {
            std::arch::asm!("/* {} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags))
        };
        // SAFETY: this is still the address of `counters`.
        return unsafe { &*address };
    }
    #[allow(unreachable_code, reason = "reachable on other targets")]
    counters
}

impl Counters {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { entered: zero(), left: zero(), non_calls: zero(), baseline: zero() }
    }

    /// Counts the owner in. This alone proves nothing: see `Cell::try_enter`.
    #[inline(always)]
    pub(crate) fn count_in(&self) {
        // Relaxed: the fences that follow it on both sides order it. A thread that sees the matching `left`
        // sees it by that.
        increment(&self.entered, Ordering::Relaxed);
    }

    /// Counts one caller out.
    #[inline(always)]
    pub(crate) fn count_out(&self) {
        // Release: pairs with the Acquire in `left()`. A thread that sees this count sees everything that the
        // caller did inside, and its `entered`.
        let ordering = if is_mutated(Mutation::RelaxLeave) { Ordering::Relaxed } else { Ordering::Release };
        increment(&self.left, ordering);
    }

    /// Records that one entry was not a call. Must come before that entry is counted out, whose Release then
    /// carries it.
    pub(crate) fn count_non_call(&self) {
        increment(&self.non_calls, Ordering::Relaxed);
    }

    /// Whether the owner has counted itself in since the lane got its occupant.
    pub(crate) fn has_visited(&self) -> bool {
        // Relaxed: called by the owner while it is inside, or under the cell's mutex.
        self.entered.load(Ordering::Relaxed) != self.baseline.load(Ordering::Relaxed)
    }

    /// Makes the owner count as not having visited. Call it under the cell's mutex.
    pub(crate) fn clear_visit(&self) {
        self.baseline.store(self.entered.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn entered(&self) -> u64 {
        // Relaxed: a heavy fence, the cell's mutex or the Acquire of a `left` has made the required value
        // visible.
        self.entered.load(Ordering::Relaxed)
    }

    pub(crate) fn left(&self) -> u64 {
        // Acquire: pairs with the Release in `count_out`.
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn non_calls(&self) -> u64 {
        // Relaxed: carried by the same `left`.
        self.non_calls.load(Ordering::Relaxed)
    }

    /// Sets the baseline. `entered` must be the value that a sum included, not a second reading. Call it
    /// under the cell's mutex.
    pub(crate) fn set_baseline(&self, entered: u64) {
        self.baseline.store(entered, Ordering::Relaxed);
    }
}

/// One thread's counters in one cell.
///
/// Aligned to 128 bytes, which is two cache lines on x86_64, whose prefetcher fetches lines in pairs, and the
/// largest line of aarch64.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Stripe {
    lanes: [Counters; LANE_SLOTS],
    /// Owned guards made on this thread, minus those dropped on it. Wraps below zero. Only the owner writes
    /// it.
    owned_guards: AtomicU64,
    /// The row of the cell's registry that holds this stripe.
    row: usize,
}

impl Stripe {
    pub(crate) fn new(row: usize) -> Self {
        Self { lanes: std::array::from_fn(|_| Counters::new()), owned_guards: AtomicU64::new(0), row }
    }

    pub(crate) fn row(&self) -> usize {
        self.row
    }

    pub(crate) fn lane(&self, lane: usize) -> &Counters {
        &self.lanes[lane]
    }

    /// The counters of the lane at this offset, with the address in one register: see [`in_one_register`].
    #[inline(always)]
    pub(crate) fn lane_at(&self, offset: LaneOffset) -> &Counters {
        in_one_register(offset.select(&self.lanes))
    }

    /// Records that an entry of the owner belongs to an owned guard, which any thread may count out.
    pub(crate) fn add_owned_guard(&self) {
        increment(&self.owned_guards, Ordering::Relaxed);
    }

    /// Records that the owner counts an owned guard out.
    pub(crate) fn remove_owned_guard(&self) {
        self.owned_guards.store(self.owned_guards.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// Whether a guard that cannot move to another thread is still alive (or was forgotten). Exact if the
    /// owner calls it.
    pub(crate) fn has_local_guard(&self) -> bool {
        let inside = self
            .lanes
            .iter()
            .fold(0u64, |sum, lane| sum.wrapping_add(lane.entered()).wrapping_sub(lane.left()));
        inside != self.owned_guards.load(Ordering::Relaxed)
    }
}
