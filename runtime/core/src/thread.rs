//! The thread's side: who it is, and which stripe is its own in which cell.
//!
//! A thread has two tables of pointers to its stripes, indexed by the id of a cell: a near one, of fixed length, for the
//! first cells of the process, and a far one, which grows, for all. Warm, the near one is a single load and a look whether it
//! was null. Both lie in thread-locals without a destructor, which therefore can be read at any time of a thread's life, also
//! by destructors that run after ours.

use crate::stripe::Stripe;
use crate::sync::thread_local;
use std::cell::Cell;
use std::num::NonZeroU64;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

/// A thread of this process, by a number that is never used again.
///
/// Unlike [`std::thread::ThreadId`] it can be had at any time of a thread's life, also while its thread-locals are being
/// destroyed.
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
        ME.with(|me| {
            me.get().unwrap_or_else(|| {
                // Relaxed: only uniqueness counts.
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let id = Self(NonZeroU64::new(number).expect("2^64 threads have not been started"));
                me.set(Some(id));
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

/// The calling thread, as the system counts them.
pub(crate) fn tid() -> i32 {
    // SAFETY: it only asks for a number.
    #[cfg(not(miri))]
    return unsafe { libc::gettid() };
    #[cfg(miri)]
    0
}

/// The near table's length, in cells. A service has a module or a hundred; whoever has more pays two loads and a comparison.
const NEAR_LEN: usize = 128;

/// The far table's length at a thread's first entry, in cells; then it doubles.
const FIRST_LEN: usize = 16;

/// Where a cell's stripes are in the near tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near(usize);

impl Near {
    /// The last place is that of all cells that have none of their own: no stripe is ever there.
    const NOWHERE: usize = NEAR_LEN - 1;

    pub(crate) fn of(cell_id: usize) -> Self {
        Self(cell_id.min(Self::NOWHERE))
    }

    pub(crate) fn nowhere() -> Self {
        Self(Self::NOWHERE)
    }
}

const fn no_table() -> *mut [*const Stripe] {
    ptr::slice_from_raw_parts_mut(NonNull::<*const Stripe>::dangling().as_ptr(), 0)
}

thread_local! {
    static ME: Cell<Option<ThreadId>> = const { Cell::new(None) };
    /// An entry is null, or was good as long as the cell with that id lived.
    static NEAR: [Cell<*const Stripe>; NEAR_LEN] = const { [const { Cell::new(ptr::null()) }; NEAR_LEN] };
    /// A leaked `Box<[_]>`, with entries as in `NEAR`.
    static TABLE: Cell<*mut [*const Stripe]> = const { Cell::new(no_table()) };
}

/// This thread's stripe in the cell with that place, if it has one there.
#[inline(always)]
pub(crate) fn stripe_near(near: Near) -> Option<NonNull<Stripe>> {
    NEAR.with(|table| {
        // SAFETY: `of` and `nowhere`, which alone make them, keep them below the length.
        let stripe = unsafe { table.get_unchecked(near.0) }.get();
        NonNull::new(stripe.cast_mut())
    })
}

/// This thread's stripe in the cell with that id, if it has one.
pub(crate) fn stripe_in(cell_id: usize) -> Option<NonNull<Stripe>> {
    TABLE.with(|table| {
        let table = table.get();
        if cell_id >= table.len() {
            return None;
        }
        // SAFETY: the table is a leaked box of `len` entries, freed only by this thread, in `set` and `forget_all`, which
        // replace the pointer first; the index was just checked.
        let stripe = unsafe { *table.cast::<*const Stripe>().add(cell_id) };
        NonNull::new(stripe.cast_mut())
    })
}

/// Notes that `stripe` is this thread's in the cell with that id. The table is made long enough first.
pub(crate) fn remember(cell_id: usize, stripe: NonNull<Stripe>) {
    TABLE.with(|table| set(table, cell_id, stripe));
    if cell_id < Near::NOWHERE {
        NEAR.with(|near| near[cell_id].set(stripe.as_ptr()));
    }
}

/// Forgets all stripes of this thread, which then is a stranger to every cell.
pub(crate) fn forget_all() {
    NEAR.with(|near| near.iter().for_each(|entry| entry.set(ptr::null())));
    free(TABLE.with(|table| table.replace(no_table())));
}

fn set(table: &Cell<*mut [*const Stripe]>, cell_id: usize, stripe: NonNull<Stripe>) {
    let before = table.get();
    if cell_id >= before.len() {
        let len = (cell_id + 1).next_power_of_two().max(FIRST_LEN);
        let mut longer = vec![ptr::null(); len].into_boxed_slice();
        // SAFETY: `before` is a leaked box or the empty slice, and only this thread uses it.
        longer[..before.len()].copy_from_slice(unsafe { &*before });
        table.set(Box::into_raw(longer));
        free(before);
    }
    // SAFETY: as for the read in `stripe_in`; the index is within the length by the above.
    unsafe { table.get().cast::<*const Stripe>().add(cell_id).write(stripe.as_ptr()) };
}

fn free(table: *mut [*const Stripe]) {
    if !table.is_empty() {
        // SAFETY: a table that is not empty came from `Box::into_raw` in `set`; the caller has replaced the pointer to it.
        drop(unsafe { Box::from_raw(table) });
    }
}
