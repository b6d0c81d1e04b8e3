//! The heap of one image: what the module's global allocator takes its memory from, and where it tells what it maps and opens beside.
//!
//! It must be there before the first instruction of the module runs: constructors allocate, and the runtime is introduced
//! only after them. So its address is written into the file's private copy before that is mapped: the file has a section
//! named [`SECTION`], as large as a pointer and zero in the file as it was built.

use std::ffi::c_int;

/// The name of the ELF section that the address of the [`ImageHeap`] is written into.
pub const SECTION: &str = ".segue_heap";

/// What an [`ImageHeap`] hands back to its functions: the host knows what it is, a module does not.
#[repr(C)]
pub struct HeapContext {
    _private: [u8; 0],
}

/// A heap that the host owns, for one image. All that is left in it is freed when the image has left memory, and all that is mapped
/// still is unmapped.
///
/// Sizes and alignments are in bytes. An alignment is a power of two.
///
/// # Safety
///
/// The functions are called with the `context` that stands beside them, from any thread, until the image has left memory.
/// They never unwind. `size` is not zero; `old` and `old_size` are what the block was made with, and `align` is never changed.
#[repr(C)]
pub struct ImageHeap {
    /// Which heap.
    pub context: *const HeapContext,
    /// A new block, or null.
    pub alloc: unsafe extern "C" fn(context: *const HeapContext, size: usize, align: usize) -> *mut u8,
    /// A new block of zeros, or null.
    pub alloc_zeroed: unsafe extern "C" fn(context: *const HeapContext, size: usize, align: usize) -> *mut u8,
    /// The block, longer or shorter, perhaps elsewhere; or null, and it is as it was.
    pub realloc: unsafe extern "C" fn(
        context: *const HeapContext,
        old: *mut u8,
        old_size: usize,
        align: usize,
        size: usize,
    ) -> *mut u8,
    /// Frees a block.
    pub dealloc: unsafe extern "C" fn(context: *const HeapContext, old: *mut u8, old_size: usize),
    /// The module has mapped memory of its own, from this address on, perhaps in the place of some that it had there.
    pub mapped: unsafe extern "C" fn(context: *const HeapContext, start: usize, len: usize),
    /// What the module has mapped there, wholly or partly, is not its own any more: it is about to be unmapped.
    pub unmapped: unsafe extern "C" fn(context: *const HeapContext, start: usize, len: usize),
    /// `mremap`: the mapping, longer, shorter or elsewhere, as the kernel's flags say. The host asks the
    /// kernel, because the old place may be another mapping's a moment later. The address, or an error number
    /// of the kernel, negative.
    pub remap: unsafe extern "C" fn(
        context: *const HeapContext,
        old: usize,
        old_len: usize,
        len: usize,
        flags: c_int,
        to: usize,
    ) -> isize,
    /// The module has opened this file descriptor. It waits for nothing, so a child after `fork` may call it.
    pub opened: unsafe extern "C" fn(context: *const HeapContext, file: c_int),
    /// The module is about to close this file descriptor. It waits for nothing, as above.
    pub closed: unsafe extern "C" fn(context: *const HeapContext, file: c_int),
}
