//! What `current` says: which lane new callers enter.

use crate::stripe::LANES;
use crate::sync::{AtomicUsize, MODELLED_BY_LOOM, Ordering};

/// How many places there are of whatever there is one of for each lane: one for each, and one for nowhere.
pub(crate) const PLACES: usize = LANES + 1;

/// The size of what there is one of for each lane.
const STRIDE: usize = 32;

/// How far a lane's element is from the first lane's, in bytes. In the cell, in each stripe and in each projection the elements have
/// the same size, so that a caller multiplies nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset(usize);

impl Offset {
    /// Where callers go when there is no current lane: a lane that nobody ever lives in, so that a caller need not ask whether
    /// there is one before it knows who lives there.
    pub(crate) const NOWHERE: Self = Self(LANES * STRIDE);

    pub(crate) fn of(lane: usize) -> Self {
        assert!(lane < LANES, "there are {LANES} lanes");
        Self(lane * STRIDE)
    }

    /// The element of this lane.
    #[inline(always)]
    pub(crate) fn within<E>(self, elements: &[E; PLACES]) -> &E {
        if MODELLED_BY_LOOM {
            // The model's atomics have sizes of their own.
            return &elements[self.0 / STRIDE];
        }
        const { assert!(MODELLED_BY_LOOM || size_of::<E>() == STRIDE) };
        // SAFETY: an offset is a multiple of the elements' size, and less than the size of all of them: there are no others.
        unsafe { &*elements.as_ptr().byte_add(self.0) }
    }
}

/// Where new callers go. It holds nothing but offsets.
#[derive(Debug)]
pub(crate) struct Current(AtomicUsize);

impl Current {
    pub(crate) fn nowhere() -> Self {
        Self(AtomicUsize::new(Offset::NOWHERE.0))
    }

    #[inline(always)]
    pub(crate) fn load(&self, ordering: Ordering) -> Offset {
        Offset(self.0.load(ordering))
    }

    pub(crate) fn store(&self, to: Offset, ordering: Ordering) {
        self.0.store(to.0, ordering);
    }
}
