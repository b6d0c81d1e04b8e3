//! Host memory, which outlives every module.

use std::alloc::{self, Layout};
use std::sync::OnceLock;

use segue_abi::Heap;

/// The heap of this image, if it is the host or has no host, as in a unit test of a module.
static OWN: Heap = Heap { allocate, release };

/// The host's heap, in a module that is attached to a host.
static HOST: OnceLock<&'static Heap> = OnceLock::new();

/// The heap for values that outlive this image.
pub fn heap() -> &'static Heap {
    HOST.get().copied().unwrap_or(&OWN)
}

/// Makes [`heap`] return the host's heap from now on.
///
/// # Safety
///
/// `host` must keep the promises of [`Heap`].
pub unsafe fn attach(host: &'static Heap) {
    // It is not set yet: a module is attached once.
    let _ = HOST.set(host);
}

unsafe extern "C" fn allocate(size: usize, align: usize) -> *mut u8 {
    match Layout::from_size_align(size, align) {
        Ok(layout) if size > 0 => {
            // SAFETY: the size is not 0.
            let block = unsafe { alloc::alloc(layout) };
            if block.is_null() { alloc::handle_alloc_error(layout) } else { block }
        }
        // No type has such a layout. This function must not unwind.
        _ => std::process::abort(),
    }
}

unsafe extern "C" fn release(block: *mut u8, size: usize, align: usize) {
    // SAFETY: `allocate` returned the block, with the layout that it checked.
    unsafe { alloc::dealloc(block, Layout::from_size_align_unchecked(size, align)) };
}
