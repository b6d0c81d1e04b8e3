//! A second way to enter a cell: callers get a value that was made from the occupant in advance.

use crate::cell::Cell;
use crate::current::LANE_SLOTS;
use crate::occupant::Occupant;
use crate::projection_slots::{PendingView, ProjectionSlots, RemovedValue};
use crate::sync::{AtomicPtr, MODELLED_BY_LOOM, Ordering};
use crate::view::View;
use std::fmt;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

/// Enters the occupants of one cell through a [`View`]. It keeps the cell alive.
pub struct Projection<T: Occupant, V: View<T>> {
    pub(crate) cell: Arc<Cell<T>>,
    pub(crate) slots: [Slot<T, V>; LANE_SLOTS],
    view: V,
}

/// One lane's value. It has the size of every element that exists once per lane.
#[repr(C, align(32))]
pub(crate) struct Slot<T: Occupant, V: View<T>> {
    /// Null if the lane is empty or the view has no value for its occupant. Otherwise a `Box` that this owns.
    ///
    /// # Synchronization
    /// Written under the cell's mutex: before the lane is published, and when it is drained or was never
    /// published. A caller that is counted in therefore reads the value of the occupant that it is inside.
    /// The argument is in `Cell::try_enter`.
    ///
    /// All accesses are Relaxed. The Release store of `current` makes the value visible to callers, as it
    /// does for the occupant. For lanes that were occupied when the projection was made, the synchronization
    /// that passed the projection to the caller does.
    pub(crate) value: AtomicPtr<StoredValue<T, V>>,
}

/// The value for one occupant, and the occupant that it borrows from.
pub(crate) struct StoredValue<T: Occupant, V: View<T>> {
    /// Its real lifetime is that of `occupant`. It is declared, and so dropped, before `occupant`.
    pub(crate) value: V::Value<'static>,
    pub(crate) occupant: Arc<T>,
}

impl<T: Occupant, V: View<T>> RemovedValue for StoredValue<T, V> {}

/// A value that is not in its slot yet, and the projection to which it belongs.
struct PendingValue<T: Occupant, V: View<T>> {
    projection: Arc<Projection<T, V>>,
    value: Option<Box<StoredValue<T, V>>>,
}

impl<T: Occupant> Cell<T> {
    /// Makes a second way to enter this cell. The values for the present occupants are made now. The value
    /// for a later occupant is made when a lane is reserved for it, so that a publish remains a single store.
    ///
    /// For writers, like [`reserve`](Cell::reserve).
    pub fn projection<V: View<T>>(self: &Arc<Self>, view: V) -> Arc<Projection<T, V>> {
        let slot = || Slot { value: AtomicPtr::new(ptr::null_mut()) };
        let slots = std::array::from_fn(|_| slot());
        let projection = Arc::new(Projection { cell: Arc::clone(self), slots, view });
        loop {
            // Without the mutex: the view is foreign code, and a thread's first entry needs the mutex.
            let occupants = self.state().lock().occupants();
            let pending: Vec<_> = (occupants.iter())
                .map(|(lane, occupant)| (*lane, Arc::clone(&projection).make(occupant)))
                .collect();
            let mut state = self.state().lock();
            let address = |(lane, occupant): &(usize, Arc<T>)| (*lane, Arc::as_ptr(occupant));
            if state.occupants().iter().map(address).eq(occupants.iter().map(address)) {
                for (lane, mut value) in pending {
                    value.store(lane);
                }
                let weak: Weak<dyn ProjectionSlots<T>> = Arc::<Projection<T, V>>::downgrade(&projection);
                state.projections.retain(|projection| projection.strong_count() > 0);
                state.projections.push(weak);
                drop(state);
                return projection;
            }
            // The occupants have changed in the meantime. The values are dropped without the mutex too.
            drop(state);
        }
    }
}

impl<T: Occupant, V: View<T>> ProjectionSlots<T> for Projection<T, V> {
    fn make(self: Arc<Self>, occupant: &Arc<T>) -> Box<dyn PendingView> {
        let value = self.view.make(occupant).map(|value| {
            // SAFETY: only the lifetime changes. The real lifetime is that of the occupant, which
            // `StoredValue` co-owns. It drops the value first, and lends it for no longer than itself.
            let value = unsafe { extend_lifetime::<T, V>(value) };
            Box::new(StoredValue { value, occupant: Arc::clone(occupant) })
        });
        Box::new(PendingValue { projection: self, value })
    }

    fn clear(&self, lane: usize) -> Option<Box<dyn RemovedValue>> {
        // SAFETY: the lane is drained, or was never published, so no caller is inside.
        let value = unsafe { self.slots[lane].take() }?;
        if MODELLED_BY_LOOM {
            // A model with a mutation must fail, and not crash.
            mem::forget(value);
            return None;
        }
        Some(value)
    }
}

impl<T: Occupant, V: View<T>> Slot<T, V> {
    /// Empties the slot.
    ///
    /// # Safety
    /// No caller is inside the lane through this projection.
    unsafe fn take(&self) -> Option<Box<StoredValue<T, V>>> {
        // Relaxed, and no read-modify-write: the caller holds the cell's mutex, or is the last owner of the
        // projection, to which all other accesses are visible.
        let value = NonNull::new(self.value.load(Ordering::Relaxed))?;
        self.value.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: it came from `Box::into_raw` in `store`. Nobody else uses it: the caller guarantees this,
        // and it is out of the slot.
        Some(unsafe { Box::from_raw(value.as_ptr()) })
    }
}

/// # Safety
/// The value must not be used after the end of its original lifetime.
unsafe fn extend_lifetime<T: Occupant, V: View<T>>(value: V::Value<'_>) -> V::Value<'static> {
    let value = mem::ManuallyDrop::new(value);
    // SAFETY: the two types differ only in a lifetime. The original is not dropped.
    unsafe { ptr::from_ref(&*value).cast::<V::Value<'static>>().read() }
}

impl<T: Occupant, V: View<T>> PendingView for PendingValue<T, V> {
    fn store(&mut self, lane: usize) {
        let value = self.value.take().map_or(ptr::null_mut(), Box::into_raw);
        // Relaxed: see `Slot`. The slot is empty, because it was cleared when its lane was.
        self.projection.slots[lane].value.store(value, Ordering::Relaxed);
    }
}

impl<T: Occupant, V: View<T>> Drop for Projection<T, V> {
    fn drop(&mut self) {
        for slot in &self.slots {
            // SAFETY: guards borrow the projection, so no caller is inside through it.
            drop(unsafe { slot.take() });
        }
    }
}

impl<T: Occupant, V: View<T>> fmt::Debug for Projection<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").field("cell", &self.cell).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    struct Empty;

    impl Occupant for Empty {
        fn on_thread_exit(&self) {}
    }

    /// A handle that is dropped at the worst moment: while the projection makes a value.
    static HANDLE: Mutex<Option<Arc<Projection<Empty, DropsHandle>>>> = Mutex::new(None);
    static WAS_LOCKED: AtomicBool = AtomicBool::new(false);

    struct DropsHandle(Weak<Cell<Empty>>);

    impl View<Empty> for DropsHandle {
        type Value<'a> = ();

        fn make(&self, _: &Empty) -> Option<()> {
            drop(HANDLE.lock().unwrap().take());
            Some(())
        }

        fn shorten<'short, 'long: 'short>(value: &'short ()) -> &'short () {
            value
        }
    }

    impl Drop for DropsHandle {
        fn drop(&mut self) {
            let cell = self.0.upgrade().unwrap();
            WAS_LOCKED.store(cell.state().try_lock().is_none(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_view_is_never_dropped_under_the_mutex() {
        let cell = Cell::new(Box::new(|| {}));
        let projection = cell.projection(DropsHandle(Arc::downgrade(&cell)));
        let weak = Arc::downgrade(&projection);
        *HANDLE.lock().unwrap() = Some(projection);
        cell.reserve(Arc::new(Empty)).unwrap().publish();
        assert!(weak.upgrade().is_none(), "the projection still exists");
        assert!(!WAS_LOCKED.load(Ordering::Relaxed), "the view's drop ran while the cell's mutex was held");
    }
}
