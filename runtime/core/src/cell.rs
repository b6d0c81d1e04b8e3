//! The cell, and how a thread finds its stripe in it.

use crate::api::Role;
use crate::cell_state::CellState;
use crate::current::{Current, LANE_SLOTS};
use crate::fence::Fences;
use crate::lane::Lane;
use crate::occupant::Occupant;
use crate::stripe::Stripe;
use crate::sync::{Mutex, next_cell_id};
use crate::thread::{self, NearIndex, ThreadId};
use crate::thread_exit::{self, ThreadExitHook};
use std::ptr::NonNull;
use std::sync::{Arc, Weak};

/// The current and the old occupant of one module, and the counters of the callers inside.
///
/// Callers [`enter`](Cell::enter) it from any thread and never wait. Writers queue at a mutex, which callers
/// do not touch except at a thread's first entry. One writer at a time moves occupants through the cell:
/// [`reserve`](Cell::reserve) → [`publish`](crate::Reservation::publish) → current → old →
/// [`vacate`](Cell::vacate).
///
/// Dropping a cell drops the occupants that it still holds. No caller is inside then, since guards borrow or
/// own the cell. A thread that is exiting briefly owns the cells that it has entered. (Joining a thread waits
/// for the end of that. [`std::thread::scope`] alone does not.)
///
/// # Example
/// See the [crate's documentation](crate).
// Aligned so that the reference count of its Arc, which owned guards write, is not on a line that callers
// read. The fields are in the order of the declaration so that callers read few lines: `current`, `near`,
// `id`, `fences` and three lanes share the first 128 bytes.
#[repr(C, align(128))]
pub struct Cell<T: Occupant> {
    pub(crate) current: Current,
    /// The index of its stripes in the near tables of threads. It is `none` if callers of this cell execute
    /// fences. A caller that finds its stripe at this index therefore knows that it needs no fence.
    near: NearIndex,
    id: usize,
    pub(crate) fences: Fences,
    pub(crate) lanes: [Lane<T>; LANE_SLOTS],
    weak_self: Weak<Self>,
    state: CachePadded<Mutex<CellState<T>>>,
}

/// A value on cache lines of its own.
#[repr(align(128))]
struct CachePadded<V>(V);

impl<T: Occupant> Cell<T> {
    /// Makes an empty cell.
    ///
    /// A caller that leaves a watched occupant calls `wake` (see [`watch`](Cell::watch)), on its own thread
    /// and before it returns. `wake` must neither block nor panic.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Self::with_fences(wake, Fences::detect())
    }

    /// Makes an empty cell with the given pair of fences, to test the pair that this machine would not
    /// choose.
    #[doc(hidden)]
    pub fn with_fences(wake: Box<dyn Fn() + Send + Sync>, fences: Fences) -> Arc<Self> {
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::from(wake);
        let id = next_cell_id();
        Arc::new_cyclic(|weak_self| Self {
            current: Current::null(),
            near: if fences.is_asymmetric() { NearIndex::of(id) } else { NearIndex::none() },
            id,
            fences,
            lanes: std::array::from_fn(|_| Lane::new(fences, Arc::clone(&wake))),
            weak_self: Weak::clone(weak_self),
            state: CachePadded(Mutex::new(CellState::new())),
        })
    }

    /// The occupant with that role. For writers: it locks the mutex, and the clone keeps the occupant in
    /// memory.
    pub fn occupant(&self, role: Role) -> Option<Arc<T>> {
        let state = self.state().lock();
        state.published(state.lane_of(role)?).cloned()
    }

    pub(crate) fn state(&self) -> &Mutex<CellState<T>> {
        &self.state.0
    }

    /// This thread's stripe.
    #[inline]
    pub(crate) fn stripe(&self) -> &Stripe {
        self.near_stripe().unwrap_or_else(|| self.far_stripe())
    }

    /// This thread's stripe, if it is in the near table.
    #[inline(always)]
    pub(crate) fn near_stripe(&self) -> Option<&Stripe> {
        // SAFETY: as for `far_stripe`.
        thread::near_stripe(self.near).map(|stripe| unsafe { stripe.as_ref() })
    }

    /// This thread's stripe, from the far table or a new one.
    #[cold]
    #[inline(never)]
    pub(crate) fn far_stripe(&self) -> &Stripe {
        let stripe = thread::far_stripe(self.id).unwrap_or_else(|| self.register_thread());
        // SAFETY: the tables' entry for our id came from `register_thread` of this same cell, because ids are
        // never reused. The registry keeps all its stripes until the cell is dropped, which cannot happen
        // while `&self` exists.
        unsafe { stripe.as_ref() }
    }

    /// Gives a stripe to a thread that has none in this cell.
    fn register_thread(&self) -> NonNull<Stripe> {
        let stripe = NonNull::from(&**self.state().lock().registry.acquire(ThreadId::current()));
        thread::set_stripe(self.id, stripe);
        let hook: Weak<dyn ThreadExitHook> = Weak::<Self>::clone(&self.weak_self);
        thread_exit::register(stripe, hook);
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
