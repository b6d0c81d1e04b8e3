//! Replaces the functions of libc that map memory, so that the host knows the mappings of this image and
//! removes them with it.
//!
//! Rust does not drop statics. A mapped file, or pages that a crate allocated, in a static would stay after
//! each load. For example, `std` maps the files from which it reads function names for a backtrace, and keeps
//! them in a static: three or four mappings per version, of which a process may have 65,530. So these
//! functions report each mapping to the host. When the image has been unmapped, the host unmaps what is left.
//!
//! They call the kernel directly. libc's functions would have to be looked up, past the hidden symbols of the
//! same names, and a lookup waits while anything is being loaded.

use std::{
    ffi::{c_int, c_long, c_void},
    ptr,
};

use segue_abi::allocator::{HeapContext, ImageHeap};

use crate::{
    boundary::heap::heap,
    sys::syscall::{self, syscall},
};

/// Replaces `mmap` and `mmap64`, which are the same on 64-bit machines.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn mmap(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
) -> *mut c_void {
    let start = syscall!(SYS_mmap, address, len, protection, flags, file, offset);
    report(start, len, |heap| heap.mapped);
    ptr::with_exposed_provenance_mut(start as usize)
}

/// Replaces `munmap`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn munmap(address: *mut c_void, len: usize) -> c_int {
    // Reported before the call: after it, another owner may already have this address.
    report(address.expose_provenance() as c_long, len, |heap| heap.unmapped);
    syscall!(SYS_munmap, address, len) as c_int
}

/// Replaces `mremap`, whose last argument is optional: callers pass it only with certain flags. On each
/// supported architecture, it arrives as it would for a function that always has it. If it is missing, `to`
/// has an arbitrary value, which the kernel ignores.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn mremap(
    old: *mut c_void,
    old_len: usize,
    len: usize,
    flags: c_int,
    to: *mut c_void,
) -> *mut c_void {
    let start = match heap() {
        Some(heap) => {
            let (old, to) = (old.expose_provenance(), to.expose_provenance());
            // SAFETY: the function is that of this image's heap, and belongs to this context.
            let start = unsafe { (heap.remap)(heap.context, old, old_len, len, flags, to) };
            syscall::into_libc_result(start as usize)
        }
        None => syscall!(SYS_mremap, old, old_len, len, flags, to),
    };
    ptr::with_exposed_provenance_mut(start as usize)
}

/// The result of a failed system call.
const FAILED: c_long = -1;

/// A function of the host to which a mapping is reported.
type Report = unsafe extern "C" fn(*const HeapContext, usize, usize);

/// Reports a mapping to the host, if it has a heap for this image.
fn report(start: c_long, len: usize, select: impl FnOnce(&ImageHeap) -> Report) {
    if start != FAILED
        && let Some(heap) = heap()
    {
        // SAFETY: the function is that of this image's heap, and belongs to this context.
        unsafe { select(heap)(heap.context, start as usize, len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_mapped_moved_and_unmapped_and_errors_are_returned() {
        const PAGE: usize = 4096;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: the memory is new, is used within its bounds, and is unmapped once.
        unsafe {
            let block = mmap(ptr::null_mut(), PAGE, protection, flags, -1, 0);
            block.cast::<u8>().write(7);
            let moved = mremap(block, PAGE, 100 * PAGE, libc::MREMAP_MAYMOVE, ptr::null_mut());
            assert_eq!(moved.cast::<u8>().read(), 7);
            assert_eq!(munmap(moved, 100 * PAGE), 0);
            assert_eq!(mmap(ptr::null_mut(), 0, protection, flags, -1, 0), libc::MAP_FAILED);
            assert_eq!(munmap(ptr::without_provenance_mut(1), PAGE), -1);
        }
    }
}
