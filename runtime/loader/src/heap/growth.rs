//! Gives large growing blocks spare room, so they can grow in place.
//!
//! A growing vector repeatedly doubles its block. glibc's malloc often extends a block in place. mimalloc
//! extends it only up to its rounded size and otherwise copies it. The copies took 3 % of a call that renders
//! Markdown. So a large block that grows gets [`GROWTH_FACTOR`] times the requested size, and has room when
//! it grows next. Usually an untouched page costs only address space. But if the kernel uses huge pages
//! without request, touched pages bring untouched ones into memory, and if it does not overcommit, untouched
//! pages count. So all blocks of an image together get about [`SPARE_BYTES_MAX`] of spare room. Beyond that,
//! or if memory is short, a block gets only the requested size.

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicI64, Ordering},
};

use libmimalloc_sys as mimalloc;

use crate::heap::malloc::malloc;

/// The size from which a block is large, in bytes: copying it takes longer than allocating one.
const LARGE_BYTES_MIN: usize = 16 << 10;

/// A growing block gets the requested size times this factor.
const GROWTH_FACTOR: usize = 8;

/// The limit of spare room for all blocks of an image together, in bytes. Threads that allocate at once may
/// exceed it a little.
const SPARE_BYTES_MAX: usize = 64 << 20;

/// The spare room of the large blocks of an image.
// On its own cache line, because every thread reads the neighboring fields at each allocation.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Growth {
    /// The sum of [`spare`] over all blocks. It is only a limit and publishes no other memory, so Relaxed is
    /// enough.
    spare: AtomicI64,
}

// === impl Growth ===

impl Growth {
    /// Counts the spare room of a new block.
    ///
    /// # Safety
    ///
    /// The block must be from mimalloc, and have this size.
    #[inline(always)]
    pub(crate) unsafe fn record_alloc(&self, block: *const c_void, size: usize) {
        // SAFETY: guaranteed by the caller.
        self.add_spare(unsafe { spare(block, size) });
    }

    /// Subtracts the spare room of a block that is about to be freed.
    ///
    /// # Safety
    ///
    /// As for [`record_alloc`](Self::record_alloc).
    #[inline(always)]
    pub(crate) unsafe fn record_free(&self, block: *const c_void, size: usize) {
        // SAFETY: guaranteed by the caller.
        self.add_spare(-unsafe { spare(block, size) });
    }

    /// Like `mi_heap_realloc_aligned`, with spare room for large growing blocks. A block grows in place if it
    /// has room. Otherwise it moves, and gets room.
    ///
    /// # Safety
    ///
    /// The block must be of this heap, and have this size and alignment. If the result is not null, the old
    /// block must not be used any more.
    pub(crate) unsafe fn realloc(
        &self,
        heap: *mut mimalloc::mi_heap_t,
        old: *mut c_void,
        old_size: usize,
        align: usize,
        size: usize,
    ) -> *mut c_void {
        // SAFETY: guaranteed by the caller. A new block is at least as large as the old one, and nothing else
        // uses it yet.
        unsafe {
            let before = spare(old, old_size);
            let block = if size < LARGE_BYTES_MIN || size <= old_size {
                mimalloc::mi_heap_realloc_aligned(heap, old, size, align)
            } else if size <= mimalloc::mi_usable_size(old) {
                old
            } else {
                let new = self.alloc_with_spare(heap, size, align);
                if !new.is_null() {
                    ptr::copy_nonoverlapping(old.cast::<u8>(), new.cast(), old_size);
                    mimalloc::mi_free(old);
                }
                new
            };
            if !block.is_null() {
                self.add_spare(spare(block, size) - before);
            }
            block
        }
    }

    /// Allocates a block with spare room, or without if the limit is reached. Null if that fails.
    ///
    /// # Safety
    ///
    /// As for [`malloc`].
    unsafe fn alloc_with_spare(
        &self,
        heap: *mut mimalloc::mi_heap_t,
        size: usize,
        align: usize,
    ) -> *mut c_void {
        let used = usize::try_from(self.spare.load(Ordering::Relaxed)).unwrap_or(0);
        if size <= SPARE_BYTES_MAX.saturating_sub(used) / GROWTH_FACTOR {
            // SAFETY: guaranteed by the caller.
            let block = unsafe { malloc(heap, size * GROWTH_FACTOR, align) };
            if !block.is_null() {
                return block;
            }
        }
        // SAFETY: guaranteed by the caller.
        unsafe { malloc(heap, size, align) }
    }

    #[inline(always)]
    fn add_spare(&self, by: i64) {
        if by != 0 {
            self.spare.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// The bytes of a large block beyond its size, if they are more than a quarter of the block; otherwise 0.
/// Blocks that have not grown may have a quarter too, because mimalloc rounds up.
///
/// # Safety
///
/// The block must be from mimalloc, and have this size.
#[inline(always)]
unsafe fn spare(block: *const c_void, size: usize) -> i64 {
    if size < LARGE_BYTES_MIN {
        return 0;
    }
    // SAFETY: guaranteed by the caller.
    let usable = unsafe { mimalloc::mi_usable_size(block) };
    if usable - size > usable / 4 { (usable - size) as i64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A heap, and the spare room of its blocks.
    struct TestHeap(*mut mimalloc::mi_heap_t, Growth);

    impl TestHeap {
        fn new() -> Self {
            // SAFETY: it has no preconditions.
            TestHeap(unsafe { mimalloc::mi_heap_new() }, Growth::default())
        }

        fn alloc(&self, size: usize) -> *mut c_void {
            // SAFETY: it has no preconditions.
            let block = unsafe { malloc(self.0, size, 8) };
            assert!(!block.is_null());
            // SAFETY: the block was just allocated.
            unsafe { self.1.record_alloc(block, size) };
            block
        }

        fn realloc(&self, block: *mut c_void, from: usize, to: usize) -> *mut c_void {
            // SAFETY: the tests pass a block that they got, and do not use it afterwards.
            unsafe { self.1.realloc(self.0, block, from, 8, to) }
        }

        fn free(&self, block: *mut c_void, size: usize) {
            // SAFETY: as above.
            unsafe {
                self.1.record_free(block, size);
                mimalloc::mi_free(block);
            }
        }

        fn spare(&self) -> usize {
            usize::try_from(self.1.spare.load(Ordering::Relaxed)).unwrap()
        }
    }

    impl Drop for TestHeap {
        fn drop(&mut self) {
            // SAFETY: the test is over, and nothing points into the heap.
            unsafe { crate::heap::thread_exit::destroy(self.0) };
        }
    }

    #[test]
    fn a_large_block_grows_in_place_and_keeps_its_content() {
        let heap = TestHeap::new();
        let first = heap.alloc(LARGE_BYTES_MIN);
        // SAFETY: the block has this many bytes.
        unsafe { first.cast::<u8>().write_bytes(7, LARGE_BYTES_MIN) };
        let second = heap.realloc(first, LARGE_BYTES_MIN, 2 * LARGE_BYTES_MIN);
        assert_ne!(second, first, "it had no spare room");
        assert_eq!(heap.spare(), 14 * LARGE_BYTES_MIN);
        for (from, to) in [(2, 4), (4, 8), (8, 16)] {
            assert_eq!(heap.realloc(second, from * LARGE_BYTES_MIN, to * LARGE_BYTES_MIN), second);
        }
        assert_eq!(heap.spare(), 0);
        // SAFETY: this many bytes were written.
        assert!((0..LARGE_BYTES_MIN).all(|at| unsafe { *second.cast::<u8>().add(at) } == 7));
        assert_ne!(
            heap.realloc(second, 16 * LARGE_BYTES_MIN, 16 * LARGE_BYTES_MIN + 1),
            second,
            "it has no spare room left"
        );
    }

    #[test]
    fn a_small_block_gets_no_spare_room() {
        let heap = TestHeap::new();
        let block = heap.realloc(heap.alloc(1000), 1000, 2000);
        // SAFETY: the block was just allocated.
        assert!(unsafe { mimalloc::mi_usable_size(block) } < 4000);
        assert_eq!(heap.spare(), 0);
    }

    #[test]
    fn a_shrinking_block_loses_its_spare_room() {
        let heap = TestHeap::new();
        let block = heap.realloc(heap.alloc(LARGE_BYTES_MIN), LARGE_BYTES_MIN, LARGE_BYTES_MIN + 1);
        assert!(heap.spare() > 6 * LARGE_BYTES_MIN);
        let block = heap.realloc(block, LARGE_BYTES_MIN + 1, LARGE_BYTES_MIN);
        // SAFETY: the block was just allocated.
        assert!(unsafe { mimalloc::mi_usable_size(block) } < 2 * LARGE_BYTES_MIN);
        assert_eq!(heap.spare(), 0);
    }

    #[test]
    fn the_spare_room_of_all_blocks_is_limited_and_released_with_them() {
        let heap = TestHeap::new();
        let blocks: Vec<_> = (0..2000)
            .map(|_| heap.realloc(heap.alloc(LARGE_BYTES_MIN), LARGE_BYTES_MIN, 2 * LARGE_BYTES_MIN))
            .collect();
        assert!((SPARE_BYTES_MAX / 2..=SPARE_BYTES_MAX).contains(&heap.spare()), "{}", heap.spare());
        // SAFETY: the block was allocated above and is not freed yet.
        let usable = unsafe { mimalloc::mi_usable_size(blocks[1999]) };
        assert!(usable < 4 * LARGE_BYTES_MIN, "there was no spare room left");
        blocks.into_iter().for_each(|block| heap.free(block, 2 * LARGE_BYTES_MIN));
        assert_eq!(heap.spare(), 0);
    }

    #[test]
    fn a_block_that_cannot_grow_is_unchanged() {
        let heap = TestHeap::new();
        let block = heap.realloc(heap.alloc(LARGE_BYTES_MIN), LARGE_BYTES_MIN, 2 * LARGE_BYTES_MIN);
        let spare = heap.spare();
        // No machine has so much memory.
        assert!(heap.realloc(block, 2 * LARGE_BYTES_MIN, isize::MAX as usize - 64).is_null());
        assert_eq!(heap.spare(), spare);
        heap.free(block, 2 * LARGE_BYTES_MIN);
    }
}
