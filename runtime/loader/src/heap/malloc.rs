//! What mimalloc is asked for.

use std::ffi::c_void;

use libmimalloc_sys as mimalloc;

/// Whether a block of this size has this alignment without being asked for it. To ask takes longer, and makes a large block larger.
pub(crate) const fn is_natural(size: usize, align: usize) -> bool {
    // `MI_MAX_ALIGN_SIZE` is 16 in the version that is pinned.
    align <= 8 || (align <= 16 && size >= 16)
}

/// A block of this heap, or null.
///
/// # Safety
///
/// The heap has not been destroyed, and the alignment is a power of two.
#[inline(always)]
pub(crate) unsafe fn malloc(heap: *mut mimalloc::mi_heap_t, size: usize, align: usize) -> *mut c_void {
    // SAFETY: our caller's promise.
    unsafe {
        if is_natural(size, align) {
            mimalloc::mi_heap_malloc(heap, size)
        } else {
            mimalloc::mi_heap_malloc_aligned(heap, size, align)
        }
    }
}
