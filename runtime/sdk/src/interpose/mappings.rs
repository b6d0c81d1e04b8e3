//! Stands in for the functions of libc that map memory, so that what this image has mapped is known, and goes with it.
//!
//! What a static owns is never dropped. Where that is a file that was mapped, or memory that a crate took by the page, it would
//! stay with every load: `std` maps the files that it names functions from, to print a backtrace, and keeps them so in a static,
//! three or four mappings a version, of which a process may have 65,530. So hidden symbols lead here, as they do for
//! [threads](super::threads), and the host is told. When the image has left memory, the host unmaps what is left.
//!
//! They ask the kernel itself. libc's own functions would have to be looked up, past the symbols of the same name, and a look-up
//! waits while anything is being loaded.

use std::{
    ffi::{c_int, c_long, c_void},
    ptr,
};

use segue_abi::allocator::{HeapContext, ImageHeap};

use crate::{
    boundary::heap::heap,
    sys::syscall::{self, syscall},
};

/// Stands in for `mmap`, and for `mmap64`, which is the same on machines of 64 bits.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn map(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
) -> *mut c_void {
    let start = syscall!(SYS_mmap, address, len, protection, flags, file, offset);
    tell(start, len, |heap| heap.mapped);
    ptr::with_exposed_provenance_mut(start as usize)
}

/// Stands in for `munmap`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn unmap(address: *mut c_void, len: usize) -> c_int {
    // Before: afterwards it may be somebody else's already.
    tell(address.expose_provenance() as c_long, len, |heap| heap.unmapped);
    syscall!(SYS_munmap, address, len) as c_int
}

/// Stands in for `mremap`, whose last argument is there only where the flags say so. It comes as it would come to a function that
/// always has it, on each machine that this is built for; what is read where there is none, the kernel does not look at.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn remap(
    old: *mut c_void,
    old_len: usize,
    len: usize,
    flags: c_int,
    to: *mut c_void,
) -> *mut c_void {
    let start = match heap() {
        Some(heap) => {
            let (old, to) = (old.expose_provenance(), to.expose_provenance());
            // SAFETY: it is this image's, and stands beside that context.
            let start = unsafe { (heap.remap)(heap.context, old, old_len, len, flags, to) };
            syscall::into_libc_result(start as usize)
        }
        None => syscall!(SYS_mremap, old, old_len, len, flags, to),
    };
    ptr::with_exposed_provenance_mut(start as usize)
}

/// What the kernel's calls answer where they fail, as libc hands it on.
const FAILED: c_long = -1;

/// A function of the host that is told of memory.
type Tell = unsafe extern "C" fn(*const HeapContext, usize, usize);

/// Tells the host, where it has a heap for this image.
fn tell(start: c_long, len: usize, of: impl FnOnce(&ImageHeap) -> Tell) {
    if start != FAILED
        && let Some(heap) = heap()
    {
        // SAFETY: it is this image's, and stands beside that context.
        unsafe { of(heap)(heap.context, start as usize, len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_mapped_moved_and_unmapped_and_refusals_come_through() {
        const PAGE: usize = 4096;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, used within its bounds, and unmapped once.
        unsafe {
            let block = map(ptr::null_mut(), PAGE, protection, flags, -1, 0);
            block.cast::<u8>().write(7);
            let moved = remap(block, PAGE, 100 * PAGE, libc::MREMAP_MAYMOVE, ptr::null_mut());
            assert_eq!(moved.cast::<u8>().read(), 7);
            assert_eq!(unmap(moved, 100 * PAGE), 0);
            assert_eq!(map(ptr::null_mut(), 0, protection, flags, -1, 0), libc::MAP_FAILED);
            assert_eq!(unmap(ptr::without_provenance_mut(1), PAGE), -1);
        }
    }
}
