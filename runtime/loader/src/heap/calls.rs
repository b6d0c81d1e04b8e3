//! What a module calls: the functions of `ImageHeap`.

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

/// Makes a block with one of mimalloc's functions, and counts it.
///
/// # Safety
///
/// As `ImageHeap` says.
#[inline(always)]
unsafe fn alloc_counted(
    context: *const HeapContext,
    size: usize,
    make: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
) -> *mut u8 {
    // SAFETY: our caller's promise: it came from `Heap::new`, and the heap stays until the image has left memory.
    let raw = unsafe { &*context.cast::<RawHeap>() };
    let block = raw.allocate(size as i64, make);
    if !block.is_null() {
        // SAFETY: it was made just now.
        unsafe { raw.growth.record_alloc(block, size) };
    }
    block.cast()
}

pub(super) unsafe extern "C" fn alloc(context: *const HeapContext, size: usize, align: usize) -> *mut u8 {
    // SAFETY: our caller's promise, handed on.
    unsafe { alloc_counted(context, size, |heap| malloc(heap, size, align)) }
}

pub(super) unsafe extern "C" fn alloc_zeroed(
    context: *const HeapContext,
    size: usize,
    align: usize,
) -> *mut u8 {
    // SAFETY: our caller's promise, handed on.
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
    // SAFETY: our caller's promise: the block is of this heap, and has this size and this alignment.
    let realloc = |heap| unsafe { raw.growth.realloc(heap, old.cast(), old_size, align, size) };
    raw.allocate(more, realloc).cast()
}

pub(super) unsafe extern "C" fn dealloc(context: *const HeapContext, old: *mut u8, old_size: usize) {
    // SAFETY: as in `alloc_counted`.
    let raw = unsafe { &*context.cast::<RawHeap>() };
    raw.count((old_size as i64).wrapping_neg());
    // SAFETY: our caller's promise: the block is of this heap, and has this size.
    unsafe {
        raw.growth.record_free(old.cast(), old_size);
        mimalloc::mi_free(old.cast());
    }
}

/// The account of what the image has mapped.
///
/// # Safety
///
/// As `ImageHeap` says.
unsafe fn mappings<'a>(context: *const HeapContext) -> &'a Mutex<Mappings> {
    // SAFETY: as in `alloc_counted`.
    let raw: &'a RawHeap = unsafe { &*context.cast() };
    &raw.usage.mappings
}

pub(super) unsafe extern "C" fn mapped(context: *const HeapContext, start: usize, len: usize) {
    // SAFETY: our caller's promise, handed on.
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
    // Held across the call: whoever gets the old place next tells so after this.
    // SAFETY: our caller's promise, handed on.
    let mut mappings = unsafe { mappings(context) }.lock();
    let old_at: *mut c_void = ptr::with_exposed_provenance_mut(old);
    let to: *mut c_void = ptr::with_exposed_provenance_mut(to);
    // SAFETY: that is what the module asked for. What is at the old place is its own.
    let start = unsafe { libc::mremap(old_at, old_len, len, flags, to) };
    if start == libc::MAP_FAILED {
        // SAFETY: it is the calling thread's, and always there.
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
    // SAFETY: our caller's promise, handed on.
    unsafe { mappings(context) }.lock().remove(start, len);
}
