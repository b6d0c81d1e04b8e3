//! Allocates from mimalloc.

use std::ffi::c_void;

use libmimalloc_sys as mimalloc;

/// Whether every block of this size has this alignment. Requesting an alignment takes longer, and makes a
/// large block larger.
pub(crate) const fn is_natural(size: usize, align: usize) -> bool {
    // `MI_MAX_ALIGN_SIZE` is 16 in the pinned version.
    align <= 8 || (align <= 16 && size >= 16)
}

/// Allocates a block from this heap. Null if that fails.
///
/// # Safety
///
/// The heap must not be destroyed, and the alignment must be a power of two.
#[inline(always)]
pub(crate) unsafe fn malloc(heap: *mut mimalloc::mi_heap_t, size: usize, align: usize) -> *mut c_void {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if is_natural(size, align) {
            mimalloc::mi_heap_malloc(heap, size)
        } else {
            mimalloc::mi_heap_malloc_aligned(heap, size, align)
        }
    }
}
