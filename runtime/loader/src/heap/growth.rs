//! Room for large blocks to grow in their place.
//!
//! A vector that grows asks for twice its block, again and again. glibc's malloc often lengthens a block where it lies; mimalloc
//! does not beyond what it has rounded up, and copies it each time, which took 3 % of a call that renders Markdown. So a large block
//! that grows gets [`GROWTH_FACTOR`] what was asked for, and finds room when it grows next. Mostly a page that nobody has touched costs an
//! address and no memory. But where the kernel gives huge pages to whoever has not asked for them, untouched pages come along with
//! touched ones, and where it does not overcommit, they count. So an image's blocks get about [`SPARE_BYTES_MAX`] of room together and no more,
//! and beyond that, or where there is no memory for it, what was asked for.

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicI64, Ordering},
};

use libmimalloc_sys as mimalloc;

use crate::heap::malloc::malloc;

/// From so many bytes on a block is large: to copy it takes longer than to make one.
const LARGE_BYTES_MIN: usize = 16 << 10;

/// How many times what was asked for a block gets that grows.
const GROWTH_FACTOR: usize = 8;

/// How many bytes of room an image's blocks get together; a few more where threads take the last of it at once.
const SPARE_BYTES_MAX: usize = 64 << 20;

/// How much room the large blocks of an image have.
// On a line of its own: what stands beside it is read at each allocation, by every thread.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Growth {
    /// The sum of what [`spare`] says of each block. Relaxed: it bounds what is given, and carries nothing.
    spare: AtomicI64,
}

// === impl Room ===

impl Growth {
    /// A block was made.
    ///
    /// # Safety
    ///
    /// It is mimalloc's, and has this size.
    #[inline(always)]
    pub(crate) unsafe fn record_alloc(&self, block: *const c_void, size: usize) {
        // SAFETY: our caller's promise.
        self.add_spare(unsafe { spare(block, size) });
    }

    /// A block is about to be freed.
    ///
    /// # Safety
    ///
    /// As [`record_alloc`](Self::record_alloc).
    #[inline(always)]
    pub(crate) unsafe fn record_free(&self, block: *const c_void, size: usize) {
        // SAFETY: our caller's promise.
        self.add_spare(-unsafe { spare(block, size) });
    }

    /// What `mi_heap_realloc_aligned` does, with room for large blocks that grow: where they lie, if they have it, and else elsewhere,
    /// where they get it.
    ///
    /// # Safety
    ///
    /// The block is of this heap, and has this size and this alignment. If the answer is not null, nobody uses it any more.
    pub(crate) unsafe fn realloc(
        &self,
        heap: *mut mimalloc::mi_heap_t,
        old: *mut c_void,
        old_size: usize,
        align: usize,
        size: usize,
    ) -> *mut c_void {
        // SAFETY: our caller's promise. A block that was made here has at least as many bytes as the old one, and nobody knows of
        // it yet.
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

    /// A block with room, or where there is none to give, without; or null.
    ///
    /// # Safety
    ///
    /// As [`malloc`].
    unsafe fn alloc_with_spare(
        &self,
        heap: *mut mimalloc::mi_heap_t,
        size: usize,
        align: usize,
    ) -> *mut c_void {
        let given = usize::try_from(self.spare.load(Ordering::Relaxed)).unwrap_or(0);
        if size <= SPARE_BYTES_MAX.saturating_sub(given) / GROWTH_FACTOR {
            // SAFETY: our caller's promise.
            let block = unsafe { malloc(heap, size * GROWTH_FACTOR, align) };
            if !block.is_null() {
                return block;
            }
        }
        // SAFETY: our caller's promise.
        unsafe { malloc(heap, size, align) }
    }

    #[inline(always)]
    fn add_spare(&self, by: i64) {
        if by != 0 {
            self.spare.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// How many bytes a block has beyond its size, if it is large and they are more than a quarter of it all; else none. A quarter may
/// be left in blocks that have not grown, too: mimalloc rounds up.
///
/// # Safety
///
/// It is mimalloc's, and has this size.
#[inline(always)]
unsafe fn spare(block: *const c_void, size: usize) -> i64 {
    if size < LARGE_BYTES_MIN {
        return 0;
    }
    // SAFETY: our caller's promise.
    let usable = unsafe { mimalloc::mi_usable_size(block) };
    if usable - size > usable / 4 { (usable - size) as i64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A heap, and the room of its blocks.
    struct TestHeap(*mut mimalloc::mi_heap_t, Growth);

    impl TestHeap {
        fn new() -> Self {
            // SAFETY: it has no conditions.
            TestHeap(unsafe { mimalloc::mi_heap_new() }, Growth::default())
        }

        fn alloc(&self, size: usize) -> *mut c_void {
            // SAFETY: it has no conditions.
            let block = unsafe { malloc(self.0, size, 8) };
            assert!(!block.is_null());
            // SAFETY: it was made just now.
            unsafe { self.1.record_alloc(block, size) };
            block
        }

        fn realloc(&self, block: *mut c_void, from: usize, to: usize) -> *mut c_void {
            // SAFETY: the tests hand on what they have got, and forget the old block.
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
            // SAFETY: the test is over, and nobody follows a pointer into it.
            unsafe { crate::heap::thread_exit::destroy(self.0) };
        }
    }

    #[test]
    fn a_large_block_grows_in_its_place_and_keeps_what_is_in_it() {
        let of = TestHeap::new();
        let first = of.alloc(LARGE_BYTES_MIN);
        // SAFETY: it has so many bytes.
        unsafe { first.cast::<u8>().write_bytes(7, LARGE_BYTES_MIN) };
        let second = of.realloc(first, LARGE_BYTES_MIN, 2 * LARGE_BYTES_MIN);
        assert_ne!(second, first, "it had no room");
        assert_eq!(of.spare(), 14 * LARGE_BYTES_MIN);
        for (from, to) in [(2, 4), (4, 8), (8, 16)] {
            assert_eq!(of.realloc(second, from * LARGE_BYTES_MIN, to * LARGE_BYTES_MIN), second);
        }
        assert_eq!(of.spare(), 0);
        // SAFETY: so many bytes were written.
        assert!((0..LARGE_BYTES_MIN).all(|at| unsafe { *second.cast::<u8>().add(at) } == 7));
        assert_ne!(
            of.realloc(second, 16 * LARGE_BYTES_MIN, 16 * LARGE_BYTES_MIN + 1),
            second,
            "it has no more room"
        );
    }

    #[test]
    fn a_small_block_gets_no_room() {
        let of = TestHeap::new();
        let block = of.realloc(of.alloc(1000), 1000, 2000);
        // SAFETY: it was made just now.
        assert!(unsafe { mimalloc::mi_usable_size(block) } < 4000);
        assert_eq!(of.spare(), 0);
    }

    #[test]
    fn a_block_that_shrinks_gives_its_room_back() {
        let of = TestHeap::new();
        let block = of.realloc(of.alloc(LARGE_BYTES_MIN), LARGE_BYTES_MIN, LARGE_BYTES_MIN + 1);
        assert!(of.spare() > 6 * LARGE_BYTES_MIN);
        let block = of.realloc(block, LARGE_BYTES_MIN + 1, LARGE_BYTES_MIN);
        // SAFETY: it was made just now.
        assert!(unsafe { mimalloc::mi_usable_size(block) } < 2 * LARGE_BYTES_MIN);
        assert_eq!(of.spare(), 0);
    }

    #[test]
    fn the_room_of_all_blocks_has_a_bound_and_comes_back_when_they_go() {
        let of = TestHeap::new();
        let blocks: Vec<_> = (0..2000)
            .map(|_| of.realloc(of.alloc(LARGE_BYTES_MIN), LARGE_BYTES_MIN, 2 * LARGE_BYTES_MIN))
            .collect();
        assert!((SPARE_BYTES_MAX / 2..=SPARE_BYTES_MAX).contains(&of.spare()), "{}", of.spare());
        // SAFETY: the block was allocated above and is not freed yet.
        let usable = unsafe { mimalloc::mi_usable_size(blocks[1999]) };
        assert!(usable < 4 * LARGE_BYTES_MIN, "there was no room left");
        blocks.into_iter().for_each(|block| of.free(block, 2 * LARGE_BYTES_MIN));
        assert_eq!(of.spare(), 0);
    }

    #[test]
    fn a_block_that_cannot_grow_stays_as_it_is() {
        let of = TestHeap::new();
        let block = of.realloc(of.alloc(LARGE_BYTES_MIN), LARGE_BYTES_MIN, 2 * LARGE_BYTES_MIN);
        let spare = of.spare();
        // No machine has so much memory.
        assert!(of.realloc(block, 2 * LARGE_BYTES_MIN, isize::MAX as usize - 64).is_null());
        assert_eq!(of.spare(), spare);
        of.free(block, 2 * LARGE_BYTES_MIN);
    }
}
