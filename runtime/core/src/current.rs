//! `current`: the word that names the lane that new callers enter.

use crate::sync::{AtomicUsize, MODELLED_BY_LOOM, Ordering};

/// The number of lanes of a cell: current, old, and six for generations in quarantine. Once six images could
/// not be unloaded, the module cannot be replaced again.
pub(crate) const LANES: usize = 8;

/// The length of each array with one element per lane: one for each lane, and one for the null lane.
pub(crate) const LANE_SLOTS: usize = LANES + 1;

/// The size of each element that exists once per lane, in bytes.
const STRIDE: usize = 32;

/// The distance of a lane's element from the first lane's, in bytes. In the cell, in each stripe and in each
/// projection the elements have the same size, so callers never multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneOffset(usize);

impl LaneOffset {
    /// The null lane, which never has an occupant. Callers enter it when there is no current lane, so they
    /// need no check for that before they read the occupant.
    pub(crate) const NULL: Self = Self(LANES * STRIDE);

    pub(crate) fn of(lane: usize) -> Self {
        assert!(lane < LANES, "there are {LANES} lanes");
        Self(lane * STRIDE)
    }

    /// This lane's element.
    #[inline(always)]
    pub(crate) fn select<E>(self, elements: &[E; LANE_SLOTS]) -> &E {
        if MODELLED_BY_LOOM {
            // loom's atomics have other sizes.
            return &elements[self.0 / STRIDE];
        }
        const { assert!(MODELLED_BY_LOOM || size_of::<E>() == STRIDE) };
        // SAFETY: `of` and `NULL` alone make offsets. Each is a multiple of the element size, and less than
        // the size of all elements.
        unsafe { &*elements.as_ptr().byte_add(self.0) }
    }
}

/// The lane that new callers enter. It only ever holds valid offsets.
#[derive(Debug)]
pub(crate) struct Current(AtomicUsize);

impl Current {
    /// No lane is current.
    pub(crate) fn null() -> Self {
        Self(AtomicUsize::new(LaneOffset::NULL.0))
    }

    #[inline(always)]
    pub(crate) fn load(&self, ordering: Ordering) -> LaneOffset {
        LaneOffset(self.0.load(ordering))
    }

    pub(crate) fn store(&self, to: LaneOffset, ordering: Ordering) {
        self.0.store(to.0, ordering);
    }
}
