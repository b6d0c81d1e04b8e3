//! The guards of callers: one for the thread that entered, one that can move to another thread.

use crate::cell::Cell;
use crate::current::LaneOffset;
use crate::entry::Entry;
use crate::occupant::Occupant;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// A caller inside an occupant. Dropping the guard counts the caller out. It stays on its thread.
///
/// ```compile_fail,E0277
/// use segue_core::{CallGuard, Occupant};
///
/// fn drop_on_another_thread<T: Occupant>(guard: CallGuard<'static, T>) {
///     std::thread::spawn(move || drop(guard));
/// }
/// ```
/// An [`OwnedCallGuard`] can move to another thread:
/// ```
/// use segue_core::{Occupant, OwnedCallGuard};
///
/// fn drop_on_another_thread<T: Occupant>(guard: OwnedCallGuard<T>) {
///     std::thread::spawn(move || drop(guard));
/// }
/// ```
#[must_use = "dropping a guard counts the caller out"]
pub struct CallGuard<'a, T: Occupant> {
    entry: Entry<'a, T>,
    occupant: NonNull<T>,
    /// Counting out writes the counters, which only their own thread may do.
    not_send: PhantomData<*const ()>,
}

/// A caller inside an occupant. The guard can move to another thread and be dropped there. It keeps the cell
/// alive.
///
/// Each thread that dereferences it is recorded as a visitor of the occupant, which is notified when that
/// thread exits. For a thread that has never entered the cell, dereferencing or dropping the guard is its
/// first entry, with the cost described at [`Cell::enter`].
#[must_use = "dropping a guard counts the caller out"]
pub struct OwnedCallGuard<T: Occupant> {
    cell: Arc<Cell<T>>,
    lane: LaneOffset,
    occupant: NonNull<T>,
}

// SAFETY: the guard gives access to a `&T`, and `T` is Sync. It may drop the cell, whose occupants are Send.
// Counting out uses the stripe of the thread that drops the guard.
unsafe impl<T: Occupant> Send for OwnedCallGuard<T> {}
// SAFETY: a shared guard gives access to a `&T`, and `T` is Sync. Recording a visit only writes the calling
// thread's stripe.
unsafe impl<T: Occupant> Sync for OwnedCallGuard<T> {}

impl<T: Occupant> Cell<T> {
    /// Enters the current occupant. `None` if there is none.
    ///
    /// # Performance
    /// Warm, it takes about a dozen instructions and writes no cache line that another thread writes. A
    /// thread's first entry into a cell takes a mutex and allocates. If a publish happens while a caller is
    /// entering, the caller tries again.
    ///
    /// # Signal handlers
    /// Do not call it from a signal handler. The counters are plain loads and stores of their thread: a
    /// handler that interrupts such an update and enters corrupts the count.
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
    #[inline(always)] // Otherwise the guard would be made in memory.
    pub fn enter(&self) -> Option<CallGuard<'_, T>> {
        let (entry, _) = self.enter_lane();
        match entry.occupant() {
            Some(occupant) => Some(CallGuard { entry, occupant, not_send: PhantomData }),
            None => {
                entry.cancel();
                None
            }
        }
    }

    /// Enters the current occupant, with a guard that can be dropped on another thread. `None` if there is
    /// none.
    ///
    /// # Performance
    /// The cost of [`enter`](Cell::enter) plus two updates of the cell's reference count, which is on a cache
    /// line that threads share.
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
        let (entry, stripe) = self.enter_lane();
        let Some(occupant) = entry.occupant() else {
            entry.cancel();
            return None;
        };
        stripe.add_owned_guard();
        Some(OwnedCallGuard { cell: Arc::clone(self), lane: entry.offset(), occupant })
    }
}

impl<'a, T: Occupant> CallGuard<'a, T> {
    /// A guard for an entry and the occupant that [`Entry::occupant`] returned.
    pub(crate) fn new(entry: Entry<'a, T>, occupant: NonNull<T>) -> Self {
        Self { entry, occupant, not_send: PhantomData }
    }
}

impl<T: Occupant> OwnedCallGuard<T> {
    pub(crate) fn belongs_to(&self, cell: &Arc<Cell<T>>) -> bool {
        Arc::ptr_eq(&self.cell, cell)
    }

    pub(crate) fn lane(&self) -> LaneOffset {
        self.lane
    }

    /// Records the calling thread, which may not be the one that entered, as a visitor.
    #[inline]
    pub(crate) fn record_visit(&self) {
        let counters = self.cell.stripe().lane_at(self.lane);
        if !counters.has_visited() {
            // In and out at once. The lane keeps its occupant while this guard exists, so no recheck is
            // needed.
            counters.count_in();
            counters.count_non_call();
            counters.count_out();
        }
    }
}

impl<T: Occupant> Deref for CallGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the occupant stays in its lane, and so in memory, while we are counted in, which ends with
        // this guard.
        unsafe { self.occupant.as_ref() }
    }
}

impl<T: Occupant> Deref for OwnedCallGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.record_visit();
        // SAFETY: the occupant stays in its lane, and so in memory, while we are counted in, which ends with
        // this guard.
        unsafe { self.occupant.as_ref() }
    }
}

impl<T: Occupant> Drop for CallGuard<'_, T> {
    #[inline(always)] // Otherwise the guard would have to be in memory, because `drop` takes its address.
    fn drop(&mut self) {
        self.entry.leave();
    }
}

impl<T: Occupant> Drop for OwnedCallGuard<T> {
    #[inline]
    fn drop(&mut self) {
        let stripe = self.cell.stripe();
        stripe.remove_owned_guard();
        self.lane.select(&self.cell.lanes).leave(stripe.lane_at(self.lane));
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
