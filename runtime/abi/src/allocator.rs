//! The heap of one image. The module's global allocator takes its memory from it, and the module reports to
//! it which memory it maps and which file descriptors it opens.
//!
//! The heap must exist before the first instruction of the module runs, because constructors allocate, and
//! the module is attached to the host only after them. So the host writes the heap's address into its private
//! copy of the file before it maps that copy. The file has a section for it, named [`SECTION`], of the size
//! of a pointer. In a newly built file the section is zero.

use std::ffi::c_int;

/// The name of the ELF section for the address of the [`ImageHeap`].
pub const SECTION: &str = ".segue_heap";

/// The context of an [`ImageHeap`]. Only the host knows its type.
#[repr(C)]
pub struct HeapContext {
    _private: [u8; 0],
}

/// A heap for one image. The host owns it. When the image is unmapped, the host frees all blocks that are
/// left, and unmaps all memory that the module still has mapped.
///
/// Sizes and alignments are in bytes. An alignment is a power of two.
///
/// # Safety
///
/// The functions may be called from any thread until the image is unmapped, with the `context` of the
/// same value. They never unwind. `size` is not zero. `old` and `old_size` describe a block of this heap, and
/// `align` is the alignment that the block was allocated with.
#[repr(C)]
pub struct ImageHeap {
    /// The first argument of each function.
    pub context: *const HeapContext,
    /// Allocates a block. Returns null if there is no memory.
    pub alloc: unsafe extern "C" fn(context: *const HeapContext, size: usize, align: usize) -> *mut u8,
    /// Allocates a block of zeros. Returns null if there is no memory.
    pub alloc_zeroed: unsafe extern "C" fn(context: *const HeapContext, size: usize, align: usize) -> *mut u8,
    /// Resizes a block, and may move it. If it returns null, the block is unchanged.
    pub realloc: unsafe extern "C" fn(
        context: *const HeapContext,
        old: *mut u8,
        old_size: usize,
        align: usize,
        size: usize,
    ) -> *mut u8,
    /// Frees a block.
    pub dealloc: unsafe extern "C" fn(context: *const HeapContext, old: *mut u8, old_size: usize),
    /// Reports that the module has mapped memory at this address. It may replace an earlier mapping of the
    /// module.
    pub mapped: unsafe extern "C" fn(context: *const HeapContext, start: usize, len: usize),
    /// Reports that the module is about to unmap this range. The range may cover only a part of a mapping.
    pub unmapped: unsafe extern "C" fn(context: *const HeapContext, start: usize, len: usize),
    /// `mremap`: resizes or moves a mapping, with the kernel's flags. The host makes the system call itself,
    /// because another thread may map the old range right after it. Returns the new address, or a negative
    /// error number.
    pub remap: unsafe extern "C" fn(
        context: *const HeapContext,
        old: usize,
        old_len: usize,
        len: usize,
        flags: c_int,
        to: usize,
    ) -> isize,
    /// Reports that the module has opened this file descriptor. The function never waits, so a child may call
    /// it after `fork`.
    pub opened: unsafe extern "C" fn(context: *const HeapContext, file: c_int),
    /// Reports that the module is about to close this file descriptor. The function never waits either.
    pub closed: unsafe extern "C" fn(context: *const HeapContext, file: c_int),
}
