//! The global allocator of a module: it takes memory from a heap that the host owns.
//!
//! Rust does not drop statics, so the memory that they own is never freed, and each load would leak it (36 MB
//! per version has been measured). So [`export_module!`](crate::export_module) makes [`ModuleAllocator`] the
//! global allocator of the file. The host has one heap per image, and frees the whole heap after it has
//! unloaded the image.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use segue_abi::allocator::ImageHeap;

/// The address of this image's heap. The host writes it to the file before it maps the file. So it is the
/// same from the first instruction of this image to the last, and each block is freed on the heap that it
/// came from. Null if no runtime has mapped the file, as in a test.
// The section is segue_abi::allocator::SECTION, which an attribute cannot name.
#[unsafe(link_section = ".segue_heap")]
#[used]
static HEAP: AtomicPtr<ImageHeap> = AtomicPtr::new(ptr::null_mut());

/// The global allocator of a module. It uses the host's heap for this image, or the system's heap if no host
/// has mapped the image.
#[derive(Debug)]
pub struct ModuleAllocator;

/// The host's heap for this image, if there is one.
#[inline(always)]
pub(crate) fn heap() -> Option<&'static ImageHeap> {
    // Relaxed: nothing in this process ever writes it.
    // SAFETY: the host writes null, or the address of a heap that stays until the image has been unmapped.
    unsafe { HEAP.load(Ordering::Relaxed).as_ref() }
}

// SAFETY: both heaps fulfil the contract of an allocator, and the choice between them never changes.
unsafe impl GlobalAlloc for ModuleAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match heap() {
            // SAFETY: the heap is this image's, and the size is not zero: our caller's promise.
            Some(heap) => unsafe { (heap.alloc)(heap.context, layout.size(), layout.align()) },
            // SAFETY: our caller's promise, passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match heap() {
            // SAFETY: as in `alloc`.
            Some(heap) => unsafe { (heap.alloc_zeroed)(heap.context, layout.size(), layout.align()) },
            // SAFETY: our caller's promise, passed on.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match heap() {
            // SAFETY: the block came from this heap, with this layout: our caller's promise.
            Some(heap) => unsafe { (heap.dealloc)(heap.context, block, layout.size()) },
            // SAFETY: our caller's promise, passed on.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match heap() {
            // SAFETY: as in `dealloc`, and the new size is not zero.
            Some(heap) => unsafe { (heap.realloc)(heap.context, block, layout.size(), layout.align(), size) },
            // SAFETY: our caller's promise, passed on.
            None => unsafe { System.realloc(block, layout, size) },
        }
    }
}
