//! A thread's identity, and its stripe in each cell.
//!
//! A thread has two tables of pointers to its stripes, indexed by cell id. The near table has a fixed length
//! and serves the first cells of the process. The far table grows and serves all cells. A warm lookup in the
//! near table is one load and a null check. Both tables are in thread-locals without a destructor. They can
//! therefore be read at any time in a thread's life, even by destructors that run after ours.

use crate::stripe::Stripe;
use crate::sync::thread_local;
use std::cell::Cell;
use std::num::NonZeroU64;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

/// The identity of a thread of this process: a number that is never reused.
///
/// Unlike [`std::thread::ThreadId`], it is available at any time in a thread's life, even while the
/// thread-locals are being destroyed.
///
/// # Example
/// ```
/// use segue_core::ThreadId;
///
/// let here = ThreadId::current();
/// let there = std::thread::spawn(ThreadId::current).join().unwrap();
/// assert_eq!(here, ThreadId::current());
/// assert_ne!(here, there);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(NonZeroU64);

impl ThreadId {
    /// The calling thread.
    pub fn current() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        CURRENT_ID.with(|current| {
            current.get().unwrap_or_else(|| {
                // Relaxed: only uniqueness matters.
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let id = Self(NonZeroU64::new(number).expect("a process starts fewer than 2^64 threads"));
                current.set(Some(id));
                id
            })
        })
    }

    /// The number, for a log or a table.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl std::fmt::Display for ThreadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The operating system's id of the calling thread.
pub(crate) fn tid() -> i32 {
    // SAFETY: gettid only returns a number.
    #[cfg(not(miri))]
    return unsafe { libc::gettid() };
    #[cfg(miri)]
    0
}

/// The near table's length, in cells. Few services have more than a hundred modules. Beyond that length, a
/// call costs two loads and a comparison more.
const NEAR_LEN: usize = 128;

/// The far table's length at a thread's first entry, in cells. It doubles when it is full.
const FAR_LEN_MIN: usize = 16;

/// A cell's index in the near tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NearIndex(usize);

impl NearIndex {
    /// The last index is shared by all cells that are not in the near tables. Its entry is always null.
    const NONE: usize = NEAR_LEN - 1;

    pub(crate) fn of(cell_id: usize) -> Self {
        Self(cell_id.min(Self::NONE))
    }

    pub(crate) fn none() -> Self {
        Self(Self::NONE)
    }
}

const fn empty_table() -> *mut [*const Stripe] {
    ptr::slice_from_raw_parts_mut(NonNull::<*const Stripe>::dangling().as_ptr(), 0)
}

thread_local! {
    static CURRENT_ID: Cell<Option<ThreadId>> = const { Cell::new(None) };
    /// An entry is null, or valid for as long as the cell with that id lives.
    static NEAR_TABLE: [Cell<*const Stripe>; NEAR_LEN] =
        const { [const { Cell::new(ptr::null()) }; NEAR_LEN] };
    /// A leaked `Box<[_]>` with the same kind of entries as `NEAR_TABLE`.
    static FAR_TABLE: Cell<*mut [*const Stripe]> = const { Cell::new(empty_table()) };
}

/// This thread's stripe at that index of the near table, if there is one.
#[inline(always)]
pub(crate) fn near_stripe(index: NearIndex) -> Option<NonNull<Stripe>> {
    NEAR_TABLE.with(|table| {
        // SAFETY: `of` and `none` alone make indices, and keep them below the length.
        let stripe = unsafe { table.get_unchecked(index.0) }.get();
        NonNull::new(stripe.cast_mut())
    })
}

/// This thread's stripe in the cell with that id, if there is one, from the far table.
pub(crate) fn far_stripe(cell_id: usize) -> Option<NonNull<Stripe>> {
    FAR_TABLE.with(|table| {
        let table = table.get();
        if cell_id >= table.len() {
            return None;
        }
        // SAFETY: the table is a leaked box of `len` entries. Only this thread frees it, in `set_far` and
        // `clear_stripes`, which replace the pointer first. The index was just checked.
        let stripe = unsafe { *table.cast::<*const Stripe>().add(cell_id) };
        NonNull::new(stripe.cast_mut())
    })
}

/// Sets this thread's stripe in the cell with that id. Grows the far table if needed.
pub(crate) fn set_stripe(cell_id: usize, stripe: NonNull<Stripe>) {
    FAR_TABLE.with(|table| set_far(table, cell_id, stripe));
    if cell_id < NearIndex::NONE {
        NEAR_TABLE.with(|near| near[cell_id].set(stripe.as_ptr()));
    }
}

/// Removes all stripes of this thread from its tables. No cell then knows the thread.
pub(crate) fn clear_stripes() {
    NEAR_TABLE.with(|near| near.iter().for_each(|entry| entry.set(ptr::null())));
    free_table(FAR_TABLE.with(|table| table.replace(empty_table())));
}

fn set_far(table: &Cell<*mut [*const Stripe]>, cell_id: usize, stripe: NonNull<Stripe>) {
    let before = table.get();
    if cell_id >= before.len() {
        let len = (cell_id + 1).next_power_of_two().max(FAR_LEN_MIN);
        let mut longer = vec![ptr::null(); len].into_boxed_slice();
        // SAFETY: `before` is a leaked box or the empty slice, and only this thread uses it.
        longer[..before.len()].copy_from_slice(unsafe { &*before });
        table.set(Box::into_raw(longer));
        free_table(before);
    }
    // SAFETY: as for the read in `far_stripe`. The code above has made the table long enough.
    unsafe { table.get().cast::<*const Stripe>().add(cell_id).write(stripe.as_ptr()) };
}

fn free_table(table: *mut [*const Stripe]) {
    if !table.is_empty() {
        // SAFETY: a table that is not empty came from `Box::into_raw` in `set_far`. The caller has replaced
        // the pointer to it.
        drop(unsafe { Box::from_raw(table) });
    }
}
