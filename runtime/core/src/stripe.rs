//! One thread's counters in one cell: written by that thread alone, so plain loads and stores do.

use crate::current::{Offset, PLACES};
use crate::sync::{AtomicU64, Mutation, Ordering, is_mutated};

/// How many lanes a cell has: current, old, and six for generations in quarantine. With all six taken nothing can be
/// loaded any more, so six is how many images may prove unpurgeable before a module cannot be replaced.
pub(crate) const LANES: usize = 8;

/// One thread's counters of one lane. They only ever grow, also when the lane changes hands.
///
/// # Synchronization
/// `entered`, `left` and `retried` are written by the stripe's owner alone. `baseline` is written under the cell's mutex,
/// and is stable for a thread that is counted in.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Counters {
    /// Times this thread counted itself in.
    entered: AtomicU64,
    /// Times this thread counted somebody out: itself, or an owned guard that another thread had made.
    left: AtomicU64,
    /// Those of `entered` that were no calls: taken back at once, or a departure.
    retried: AtomicU64,
    /// `entered` when the lane got its present occupant, or when its last owner had departed.
    baseline: AtomicU64,
}

/// Adds 1 to a counter that no other thread writes.
#[inline(always)]
fn bump(counter: &AtomicU64, publish: Ordering) {
    // Relaxed load: our own last store, or that of an earlier owner, which the cell's mutex ordered before us.
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), publish);
}

/// The same reference, of which the compiler does not know that it is a sum of two others.
///
/// Each call adds one to what the call before it stored. Processors that rename memory (Zen 2, Golden Cove, and later) do that
/// without going through the store buffer, if the address is a register and a constant; of one register added to another, as
/// the compiler would write it, they do not, and each call waits some 5 cycles for the one before.
#[inline(always)]
fn by_address(counters: &Counters) -> &Counters {
    #[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
    {
        let mut address: *const Counters = counters;
        // SAFETY: it is no instruction at all, and leaves the register as it is.
        #[expect(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written through it")]
        unsafe {
            std::arch::asm!("/* {} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags))
        };
        // SAFETY: it is the address of `counters` still.
        return unsafe { &*address };
    }
    #[allow(unreachable_code, reason = "elsewhere")]
    counters
}

impl Counters {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { entered: zero(), left: zero(), retried: zero(), baseline: zero() }
    }

    /// Counts the owner in. By itself it proves nothing: see `Cell::attempt`.
    #[inline(always)]
    pub(crate) fn count_in(&self) {
        // Relaxed: paired by the fences that follow it on both sides, and for whoever sees the matching `left` by that.
        bump(&self.entered, Ordering::Relaxed);
    }

    /// Counts one caller out.
    #[inline(always)]
    pub(crate) fn count_out(&self) {
        // Release: pairs with the Acquire in `left()`. Who sees this sees all that the caller did inside, and its `entered`.
        bump(
            &self.left,
            if is_mutated(Mutation::RelaxLeave) { Ordering::Relaxed } else { Ordering::Release },
        );
    }

    /// Says that one entry was no call. To be said before that entry is counted out, whose Release then carries it.
    pub(crate) fn count_retry(&self) {
        bump(&self.retried, Ordering::Relaxed);
    }

    /// Whether the owner has counted itself in since the lane got its occupant.
    pub(crate) fn visited(&self) -> bool {
        // Relaxed: asked by the owner inside, or under the cell's mutex.
        self.entered.load(Ordering::Relaxed) != self.baseline.load(Ordering::Relaxed)
    }

    /// Makes the owner a stranger again. Under the cell's mutex.
    pub(crate) fn forget_visit(&self) {
        self.baseline.store(self.entered.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn entered(&self) -> u64 {
        // Relaxed: either a heavy fence, the cell's mutex or the Acquire of a `left` made visible what must be seen.
        self.entered.load(Ordering::Relaxed)
    }

    pub(crate) fn left(&self) -> u64 {
        // Acquire: pairs with the Release in `count_out`.
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn retried(&self) -> u64 {
        // Relaxed: carried by the same `left`.
        self.retried.load(Ordering::Relaxed)
    }

    /// The baseline is the value that a sum was made of, not a second reading. Under the cell's mutex.
    pub(crate) fn rebase(&self, entered: u64) {
        self.baseline.store(entered, Ordering::Relaxed);
    }
}

/// One thread's counters in one cell.
///
/// 128 bytes are two cache lines, since the prefetcher of x86_64 fetches them in pairs and aarch64 has lines of 128.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Stripe {
    lanes: [Counters; PLACES],
    /// Owned guards made here, less those dropped here. Wraps below zero. Written by the owner alone.
    lent: AtomicU64,
    /// The row of the cell's registry that holds this stripe.
    row: usize,
}

impl Stripe {
    pub(crate) fn new(row: usize) -> Self {
        Self { lanes: std::array::from_fn(|_| Counters::new()), lent: AtomicU64::new(0), row }
    }

    pub(crate) fn row(&self) -> usize {
        self.row
    }

    pub(crate) fn lane(&self, lane: usize) -> &Counters {
        &self.lanes[lane]
    }

    /// The counters of the lane at this offset, by their own address: see [`by_address`].
    #[inline(always)]
    pub(crate) fn at(&self, offset: Offset) -> &Counters {
        by_address(offset.within(&self.lanes))
    }

    /// Notes that an entry of the owner belongs to an owned guard, which any thread may count out.
    pub(crate) fn lend(&self) {
        bump(&self.lent, Ordering::Relaxed);
    }

    /// Notes that the owner counts an owned guard out.
    pub(crate) fn settle(&self) {
        self.lent.store(self.lent.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// Whether a guard that cannot leave the owner's thread is still alive (or was forgotten). Exact when the owner asks.
    pub(crate) fn is_held(&self) -> bool {
        let inside = self
            .lanes
            .iter()
            .fold(0u64, |sum, lane| sum.wrapping_add(lane.entered()).wrapping_sub(lane.left()));
        inside != self.lent.load(Ordering::Relaxed)
    }
}
