//! What `current` says: which lane new callers enter, and how.

use crate::fence::Fences;
use crate::stripe::LANES;
use crate::sync::{AtomicUsize, Ordering};

/// The size of what there is one of for each lane.
const STRIDE: usize = 32;

/// How far a lane's element is from the first lane's, in bytes. In the cell, in each stripe and in each facet the elements have
/// the same size, so that a caller multiplies nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset(usize);

impl Offset {
    pub(crate) fn of(lane: usize) -> Self {
        assert!(lane < LANES, "there are {LANES} lanes");
        Self(lane * STRIDE)
    }

    pub(crate) fn lane(self) -> usize {
        self.0 / STRIDE
    }

    /// The element of this lane.
    #[inline(always)]
    pub(crate) fn within<E>(self, elements: &[E; LANES]) -> &E {
        if cfg!(loom) {
            // The model's atomics have sizes of their own.
            return &elements[self.lane()];
        }
        const { assert!(cfg!(loom) || size_of::<E>() == STRIDE) };
        // SAFETY: an offset is a multiple of the elements' size, and less than the size of all of them: `of` makes them so, and
        // a `Pointer` hands out what it was made of.
        unsafe { &*elements.as_ptr().byte_add(self.0) }
    }
}

/// A lane, and in the same number whether those who enter it execute a fence. So a caller's one comparison answers three
/// questions at once: whether there is a lane, whether it exists, and whether it is entered without a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer(usize);

impl Pointer {
    /// There is no current lane.
    pub(crate) const NOWHERE: Self = Self(usize::MAX);
    /// What is added for a lane whose callers execute a fence.
    const FENCED: usize = LANES * STRIDE;

    pub(crate) fn to(lane: usize, fences: Fences) -> Self {
        let Offset(offset) = Offset::of(lane);
        if fences.is_asymmetric() { Self(offset) } else { Self(Self::FENCED + offset) }
    }

    /// The lane, if there is one and it can be entered without a fence instruction.
    #[inline(always)]
    pub(crate) fn free_lane(self) -> Option<Offset> {
        if self.0 < Self::FENCED { Some(Offset(self.0)) } else { None }
    }

    /// The lane, however it is entered.
    pub(crate) fn lane(self) -> Option<Offset> {
        if self == Self::NOWHERE { None } else { Some(Offset(self.0 % Self::FENCED)) }
    }
}

/// Where new callers go. It holds nothing but pointers.
#[derive(Debug)]
pub(crate) struct Current(AtomicUsize);

impl Current {
    pub(crate) fn nowhere() -> Self {
        Self(AtomicUsize::new(Pointer::NOWHERE.0))
    }

    #[inline(always)]
    pub(crate) fn load(&self, ordering: Ordering) -> Pointer {
        Pointer(self.0.load(ordering))
    }

    pub(crate) fn store(&self, to: Pointer, ordering: Ordering) {
        self.0.store(to.0, ordering);
    }
}
