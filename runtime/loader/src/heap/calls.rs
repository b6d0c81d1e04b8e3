//! The functions of `ImageHeap`, which a module calls.

use std::{
    ffi::{c_int, c_void},
    ptr,
};

use libmimalloc_sys as mimalloc;
use parking_lot::Mutex;
use segue_abi::allocator::HeapContext;

use crate::{
    heap::{
        malloc::{is_natural, malloc},
        mappings::Mappings,
        raw::RawHeap,
    },
    resources::descriptors,
};

/// Allocates a block with one of mimalloc's functions, and counts it.
///
/// # Safety
///
/// As `ImageHeap` requires.
#[inline(always)]
unsafe fn alloc_counted(
    context: *const HeapContext,
    size: usize,
    allocate: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
) -> *mut u8 {
    // SAFETY: guaranteed by the caller: the context came from `Heap::new`, and the heap lives until the image
    // is unmapped.
    let raw = unsafe { &*context.cast::<RawHeap>() };
    let block = raw.allocate(size as i64, allocate);
    if !block.is_null() {
        // SAFETY: the block was just allocated.
        unsafe { raw.growth.record_alloc(block, size) };
    }
    block.cast()
}

pub(super) unsafe extern "C" fn alloc(context: *const HeapContext, size: usize, align: usize) -> *mut u8 {
    // SAFETY: guaranteed by the caller.
    unsafe { alloc_counted(context, size, |heap| malloc(heap, size, align)) }
}

pub(super) unsafe extern "C" fn alloc_zeroed(
    context: *const HeapContext,
    size: usize,
    align: usize,
) -> *mut u8 {
    // SAFETY: guaranteed by the caller.
    unsafe {
        alloc_counted(context, size, |heap| {
            if is_natural(size, align) {
                mimalloc::mi_heap_zalloc(heap, size)
            } else {
                mimalloc::mi_heap_zalloc_aligned(heap, size, align)
            }
        })
    }
}

pub(super) unsafe extern "C" fn realloc(
    context: *const HeapContext,
    old: *mut u8,
    old_size: usize,
    align: usize,
    size: usize,
) -> *mut u8 {
    let more = (size as i64).wrapping_sub(old_size as i64);
    // SAFETY: as in `alloc_counted`.
    let raw = unsafe { &*context.cast::<RawHeap>() };
    // SAFETY: guaranteed by the caller: the block is of this heap, and has this size and alignment.
    let realloc = |heap| unsafe { raw.growth.realloc(heap, old.cast(), old_size, align, size) };
    raw.allocate(more, realloc).cast()
}

pub(super) unsafe extern "C" fn dealloc(context: *const HeapContext, old: *mut u8, old_size: usize) {
    // SAFETY: as in `alloc_counted`.
    let raw = unsafe { &*context.cast::<RawHeap>() };
    raw.count((old_size as i64).wrapping_neg());
    // SAFETY: guaranteed by the caller: the block is of this heap, and has this size.
    unsafe {
        raw.growth.record_free(old.cast(), old_size);
        mimalloc::mi_free(old.cast());
    }
}

/// The mappings of the image.
///
/// # Safety
///
/// As `ImageHeap` requires.
unsafe fn mappings<'a>(context: *const HeapContext) -> &'a Mutex<Mappings> {
    // SAFETY: as in `alloc_counted`.
    let raw: &'a RawHeap = unsafe { &*context.cast() };
    &raw.usage.mappings
}

pub(super) unsafe extern "C" fn mapped(context: *const HeapContext, start: usize, len: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe { mappings(context) }.lock().add(start, len);
}

pub(super) unsafe extern "C" fn remap(
    context: *const HeapContext,
    old: usize,
    old_len: usize,
    len: usize,
    flags: c_int,
    to: usize,
) -> isize {
    // Locked across the call: a thread that gets the old addresses next records them after this.
    // SAFETY: guaranteed by the caller.
    let mut mappings = unsafe { mappings(context) }.lock();
    let old_start: *mut c_void = ptr::with_exposed_provenance_mut(old);
    let to: *mut c_void = ptr::with_exposed_provenance_mut(to);
    // SAFETY: the module requested this, and the old mapping is its own.
    let start = unsafe { libc::mremap(old_start, old_len, len, flags, to) };
    if start == libc::MAP_FAILED {
        // SAFETY: the calling thread always has it.
        return -(unsafe { *libc::__errno_location() } as isize);
    }
    if flags & libc::MREMAP_DONTUNMAP == 0 {
        mappings.remove(old, old_len);
    }
    let start = start.expose_provenance();
    mappings.add(start, len);
    start as isize
}

pub(super) unsafe extern "C" fn opened(context: *const HeapContext, file: c_int) {
    // SAFETY: as in `alloc_counted`.
    let raw: &RawHeap = unsafe { &*context.cast() };
    descriptors::opened(raw.number, file);
}

pub(super) unsafe extern "C" fn closed(_: *const HeapContext, file: c_int) {
    descriptors::closed(file);
}

pub(super) unsafe extern "C" fn unmapped(context: *const HeapContext, start: usize, len: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe { mappings(context) }.lock().remove(start, len);
}
