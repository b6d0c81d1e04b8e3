//! A second way into a cell: not to the occupant, but to something that was made of it beforehand.

use crate::cell::{Cell, Occupant};
use crate::current::PLACES;
use crate::guard::{OwnedCallGuard, Place};
use crate::sync::{AtomicPtr, MODELLED_BY_LOOM, Ordering};
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

/// What one kind of caller sees of the occupants of a cell.
///
/// # Example
/// ```
/// use segue_core::{Cell, Occupant, View};
/// use std::sync::Arc;
///
/// struct Version {
///     words: String,
/// }
///
/// impl Occupant for Version {
///     fn on_thread_exit(&self) {}
/// }
///
/// /// Callers who want the first word, which is looked for once a version, and not once a call.
/// struct FirstWord;
///
/// impl View<Version> for FirstWord {
///     type Value<'a> = &'a str;
///
///     fn make<'a>(&self, version: &'a Version) -> Option<&'a str> {
///         version.words.split(' ').next()
///     }
///
///     fn shorten<'short, 'long: 'short>(of: &'short &'long str) -> &'short &'short str {
///         of
///     }
/// }
///
/// let cell = Cell::new(Box::new(|| {}));
/// let first_word = cell.projection(FirstWord);
/// cell.reserve(Arc::new(Version { words: "hello world".to_owned() }))?.publish();
/// assert_eq!(*first_word.enter().expect("it has one").get(), "hello");
/// # Ok::<(), segue_core::ReserveError>(())
/// ```
pub trait View<T: Occupant>: Send + Sync + 'static {
    /// What is seen of one occupant; it may borrow from it.
    type Value<'a>: Send + Sync;

    /// Makes it. None if there is nothing to see of this occupant.
    ///
    /// Called once per occupant, with none of the cell's locks held, and never by a caller.
    fn make<'a>(&self, occupant: &'a T) -> Option<Self::Value<'a>>;

    /// What is good for long is good for short: the body is `of`, and compiles where that is so.
    fn shorten<'short, 'long: 'short>(value: &'short Self::Value<'long>) -> &'short Self::Value<'short>;
}

/// Enters the occupants of one cell as callers with this view do. It keeps the cell.
pub struct Projection<T: Occupant, V: View<T>> {
    cell: Arc<Cell<T>>,
    sides: [Slot<T, V>; PLACES],
    view: V,
}

/// One lane's side. As large as what else there is one of for each lane.
#[repr(C, align(32))]
struct Slot<T: Occupant, V: View<T>> {
    /// Null where the lane is empty, or there is nothing to see of its occupant. A `Box` that this owns.
    ///
    /// # Synchronization
    /// Written under the cell's mutex: before the lane is published, and when it is drained or was never published. So what a
    /// caller who is counted in reads is what belongs to the occupant that it is inside: the argument is in `Cell::attempt`.
    /// Relaxed throughout: carried to callers as the occupant is, by the Release store of `current`; and for lanes that were
    /// occupied when the projection was made, by whatever handed the projection to them.
    side: AtomicPtr<Side<T, V>>,
}

/// What is seen of one occupant, with the occupant that it borrows from.
struct Side<T: Occupant, V: View<T>> {
    /// Of the lifetime of `occupant`, before which it is dropped.
    of: V::Value<'static>,
    occupant: Arc<T>,
}

/// A caller inside an occupant, who sees a side of it; counted out when this is dropped. It stays on its thread.
#[must_use = "a guard that is dropped counts the caller out"]
pub struct ProjectionGuard<'a, T: Occupant, V: View<T>> {
    place: Place<'a, T>,
    side: NonNull<Side<T, V>>,
    /// Counting out writes the counters, which only their own thread may.
    stays: PhantomData<*const ()>,
}

/// Why a projection could not be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// There is no current occupant.
    #[error("there is no current version")]
    NoOccupant,
    /// There is nothing to see of the current occupant.
    #[error("the current version has no such side")]
    NoView,
}

/// A projection, as its cell sees it, and a side that was made and is not in its lane yet.
pub(crate) trait ProjectionSlots<T>: Send + Sync {
    /// Makes the side of an occupant.
    fn make(self: Arc<Self>, occupant: &Arc<T>) -> Box<dyn PendingView>;
    /// Empties the slot of a lane. What was in it is dropped by whoever gets it, out of the cell's mutex.
    fn clear(&self, lane: usize) -> Option<Box<dyn RemovedValue>>;
}

/// A side that was made.
pub(crate) trait PendingView {
    /// Puts it into the slot of its occupant's lane. What is left is to be dropped out of the cell's mutex: it may be the
    /// projection's last owner.
    fn store(&mut self, lane: usize);
}

/// A side that was moved out, only to be dropped.
pub(crate) trait RemovedValue {}

impl<T: Occupant, V: View<T>> RemovedValue for Side<T, V> {}

/// A side, with where it belongs.
struct Made<T: Occupant, V: View<T>> {
    projection: Arc<Projection<T, V>>,
    side: Option<Box<Side<T, V>>>,
}

impl<T: Occupant> Cell<T> {
    /// Makes a second way into this cell. What callers see is made now of the occupants that there are, and of each later one
    /// when it is given its reservation, so that a publish remains a single store.
    ///
    /// For the writer's side, as [`reserve`](Cell::reserve).
    pub fn projection<V: View<T>>(self: &Arc<Self>, view: V) -> Arc<Projection<T, V>> {
        let slot = || Slot { side: AtomicPtr::new(ptr::null_mut()) };
        let sides = std::array::from_fn(|_| slot());
        let projection = Arc::new(Projection { cell: Arc::clone(self), sides, view });
        loop {
            // Out of the mutex: it is foreign code, and a thread's first entry needs the mutex.
            let occupants = self.state().lock().occupants();
            let made: Vec<_> = (occupants.iter())
                .map(|(lane, occupant)| (*lane, Arc::clone(&projection).make(occupant)))
                .collect();
            let mut state = self.state().lock();
            let place = |(lane, occupant): &(usize, Arc<T>)| (*lane, Arc::as_ptr(occupant));
            if state.occupants().iter().map(place).eq(occupants.iter().map(place)) {
                for (lane, mut side) in made {
                    side.store(lane);
                }
                let weak: Weak<dyn ProjectionSlots<T>> = Arc::<Projection<T, V>>::downgrade(&projection);
                state.projections.retain(|projection| projection.strong_count() > 0);
                state.projections.push(weak);
                drop(state);
                return projection;
            }
            // They have changed meanwhile. What was made for those before is dropped out of the mutex too.
            drop(state);
        }
    }
}

impl<T: Occupant, V: View<T>> Projection<T, V> {
    /// Enters the current occupant.
    ///
    /// # Errors
    /// [`ProjectionError`]; then nobody was counted.
    ///
    /// # Performance
    /// As [`Cell::enter`]: where that reads the occupant, this reads the side.
    ///
    /// # Example
    /// See [`View`].
    #[inline(always)] // Else the guard would be made in memory.
    pub fn enter(&self) -> Result<ProjectionGuard<'_, T, V>, ProjectionError> {
        let (place, _) = self.cell.count_in();
        // Relaxed: see `Slot`.
        match NonNull::new(place.offset().within(&self.sides).side.load(Ordering::Relaxed)) {
            Some(side) => Ok(ProjectionGuard { place, side, stays: PhantomData }),
            None => {
                place.take_back();
                Err(if place.is_nowhere() { ProjectionError::NoOccupant } else { ProjectionError::NoView })
            }
        }
    }
}

impl<T: Occupant, V: View<T>> Projection<T, V> {
    /// What is seen of the occupant that an owned guard is inside, whether it is current or not. None where there is nothing to see
    /// of it, and where the guard is of another cell.
    ///
    /// # Example
    /// ```
    /// # use segue_core::{Cell, Occupant, View};
    /// # use std::sync::Arc;
    /// # struct Version(u32);
    /// # impl Occupant for Version { fn on_thread_exit(&self) {} }
    /// struct Number;
    /// impl View<Version> for Number {
    ///     type Value<'a> = &'a u32;
    ///     fn make<'a>(&self, version: &'a Version) -> Option<&'a u32> { Some(&version.0) }
    ///     fn shorten<'short, 'long: 'short>(of: &'short &'long u32) -> &'short &'short u32 { of }
    /// }
    /// # let cell = Cell::new(Box::new(|| {}));
    /// # cell.reserve(Arc::new(Version(1)))?.publish();
    /// let guard = cell.enter_owned().expect("version 1 is current");
    /// cell.reserve(Arc::new(Version(2)))?.publish();
    /// let projection = cell.projection(Number);
    /// assert_eq!(projection.value_for(&guard).map(|number| **number), Some(1));
    /// # Ok::<(), segue_core::ReserveError>(())
    /// ```
    pub fn value_for<'a>(&'a self, guard: &'a OwnedCallGuard<T>) -> Option<&'a V::Value<'a>> {
        if !guard.is_of(&self.cell) {
            return None;
        }
        guard.note_visit();
        // Relaxed: see `Slot`. The guard is counted into this lane, so it is not drained, and what is in the slot is of its occupant.
        let side = NonNull::new(guard.lane().within(&self.sides).side.load(Ordering::Relaxed))?;
        // SAFETY: the side stays in its slot while the guard is counted into its lane, and both are borrowed for the answer.
        Some(V::shorten(&unsafe { side.as_ref() }.of))
    }
}

impl<T: Occupant, V: View<T>> ProjectionSlots<T> for Projection<T, V> {
    fn make(self: Arc<Self>, occupant: &Arc<T>) -> Box<dyn PendingView> {
        let of = self.view.make(occupant).map(|of| {
            // SAFETY: only the lifetime is changed. It is that of the occupant, which the side owns a share of; the side drops
            // this first, and lends it for no longer than itself.
            let of = unsafe { lengthen::<T, V>(of) };
            Box::new(Side { of, occupant: Arc::clone(occupant) })
        });
        Box::new(Made { projection: self, side: of })
    }

    fn clear(&self, lane: usize) -> Option<Box<dyn RemovedValue>> {
        // SAFETY: the lane is drained, or was never published, so nobody is inside.
        let side = unsafe { self.sides[lane].take() }?;
        if MODELLED_BY_LOOM {
            // A model without a piece of the protocol is to fail, and not to crash.
            mem::forget(side);
            return None;
        }
        Some(side)
    }
}

impl<T: Occupant, V: View<T>> Slot<T, V> {
    /// Empties the slot.
    ///
    /// # Safety
    /// Nobody is inside the lane through this projection.
    unsafe fn take(&self) -> Option<Box<Side<T, V>>> {
        // Relaxed, and no read-modify-write: under the cell's mutex, or by the last owner of the projection, who has seen all that
        // others did with it.
        let side = NonNull::new(self.side.load(Ordering::Relaxed))?;
        self.side.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: it came from `move_in`, and nobody has it any more: by our caller's promise, and as it is out of the slot.
        Some(unsafe { Box::from_raw(side.as_ptr()) })
    }
}

/// # Safety
/// The value must not be used for longer than it was good before.
unsafe fn lengthen<T: Occupant, V: View<T>>(of: V::Value<'_>) -> V::Value<'static> {
    let of = mem::ManuallyDrop::new(of);
    // SAFETY: the two types differ in a lifetime alone; what was read is not dropped where it was.
    unsafe { ptr::from_ref(&*of).cast::<V::Value<'static>>().read() }
}

impl<T: Occupant, V: View<T>> PendingView for Made<T, V> {
    fn store(&mut self, lane: usize) {
        let side = self.side.take().map_or(ptr::null_mut(), Box::into_raw);
        // Relaxed: see `Slot`. The slot is empty, as its lane was when its occupant got it.
        self.projection.sides[lane].side.store(side, Ordering::Relaxed);
    }
}

impl<T: Occupant, V: View<T>> Drop for Projection<T, V> {
    fn drop(&mut self) {
        for slot in &self.sides {
            // SAFETY: guards borrow the projection, so nobody is inside through it.
            drop(unsafe { slot.take() });
        }
    }
}

impl<T: Occupant, V: View<T>> ProjectionGuard<'_, T, V> {
    /// What is seen of the occupant that the caller is inside; for as long as the guard is borrowed, which is why this is no
    /// `Deref`.
    #[inline(always)]
    pub fn get(&self) -> &V::Value<'_> {
        V::shorten(&self.side().of)
    }

    /// The occupant that the caller is inside.
    pub fn occupant(&self) -> &T {
        &self.side().occupant
    }

    #[inline(always)]
    fn side(&self) -> &Side<T, V> {
        // SAFETY: the side stays in its slot while we are counted into its lane, which ends with this guard.
        unsafe { self.side.as_ref() }
    }
}

impl<T: Occupant, V: View<T>> Drop for ProjectionGuard<'_, T, V> {
    #[inline(always)] // As for a `CallGuard`.
    fn drop(&mut self) {
        self.place.leave();
    }
}

impl<T: Occupant, V: View<T>> fmt::Debug for Projection<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").field("cell", &self.cell).finish_non_exhaustive()
    }
}

impl<T: Occupant, V: View<T>> fmt::Debug for ProjectionGuard<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionGuard").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "a test says what it means by failing")]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    struct Quiet;

    impl Occupant for Quiet {
        fn on_thread_exit(&self) {}
    }

    /// What a handle to a projection would be, if it were dropped at the worst moment: while a side of it is made.
    static HANDLE: Mutex<Option<Arc<Projection<Quiet, Hasty>>>> = Mutex::new(None);
    static WAS_LOCKED: AtomicBool = AtomicBool::new(false);

    struct Hasty(Weak<Cell<Quiet>>);

    impl View<Quiet> for Hasty {
        type Value<'a> = ();

        fn make(&self, _: &Quiet) -> Option<()> {
            drop(HANDLE.lock().unwrap().take());
            Some(())
        }

        fn shorten<'short, 'long: 'short>(of: &'short ()) -> &'short () {
            of
        }
    }

    impl Drop for Hasty {
        fn drop(&mut self) {
            let cell = self.0.upgrade().unwrap();
            WAS_LOCKED.store(cell.state().try_lock().is_none(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_projection_that_goes_while_a_seat_is_taken_goes_out_of_the_mutex() {
        let cell = Cell::new(Box::new(|| {}));
        let projection = cell.projection(Hasty(Arc::downgrade(&cell)));
        let weak = Arc::downgrade(&projection);
        *HANDLE.lock().unwrap() = Some(projection);
        cell.reserve(Arc::new(Quiet)).unwrap().publish();
        assert!(weak.upgrade().is_none(), "the projection is gone");
        assert!(!WAS_LOCKED.load(Ordering::Relaxed), "a view's own code ran with the cell's mutex held");
    }
}
