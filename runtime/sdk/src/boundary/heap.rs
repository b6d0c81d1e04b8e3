//! Takes the module's memory from a heap that the host owns.
//!
//! What a module's statics own is never dropped, since Rust drops no statics; with every load some of it would stay in the
//! process (36 MB a version has been seen). So [`export_module!`](crate::export_module) makes [`ModuleAllocator`] the global
//! allocator of the file, the host has a heap for each image, and frees it whole when the image has left memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use segue_abi::allocator::ImageHeap;

/// Where the host writes the address of the image's heap, into the file, before that is mapped. So for this image it is the
/// same from the first instruction to the last, which is why a block is always freed where it came from. Null in a file that
/// no runtime has mapped, as a test is.
// As in `segue_abi::allocator::SECTION`, which an attribute cannot name.
#[unsafe(link_section = ".segue_heap")]
#[used]
static PLANTED: AtomicPtr<ImageHeap> = AtomicPtr::new(ptr::null_mut());

/// The global allocator of a module: the heap that the host has for this image, or, where no host has mapped it, the
/// system's.
#[derive(Debug)]
pub struct ModuleAllocator;

/// The image's heap, where it has one.
#[inline(always)]
pub(crate) fn heap() -> Option<&'static ImageHeap> {
    // Relaxed: nothing in this process ever writes it.
    // SAFETY: the host writes null or the address of a heap that stays until the image has left memory.
    unsafe { PLANTED.load(Ordering::Relaxed).as_ref() }
}

// SAFETY: both heaps keep the contract of an allocator, and which of the two it is never changes.
unsafe impl GlobalAlloc for ModuleAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match heap() {
            // SAFETY: it is this image's, and the size is not zero: our caller's promise.
            Some(heap) => unsafe { (heap.alloc)(heap.context, layout.size(), layout.align()) },
            // SAFETY: our caller's promise, handed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match heap() {
            // SAFETY: as in `alloc`.
            Some(heap) => unsafe { (heap.alloc_zeroed)(heap.context, layout.size(), layout.align()) },
            // SAFETY: our caller's promise, handed on.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match heap() {
            // SAFETY: the block came from this heap, with this layout: our caller's promise.
            Some(heap) => unsafe { (heap.dealloc)(heap.context, block, layout.size()) },
            // SAFETY: our caller's promise, handed on.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match heap() {
            // SAFETY: as in `dealloc`, and the new size is not zero.
            Some(heap) => unsafe { (heap.realloc)(heap.context, block, layout.size(), layout.align(), size) },
            // SAFETY: our caller's promise, handed on.
            None => unsafe { System.realloc(block, layout, size) },
        }
    }
}
