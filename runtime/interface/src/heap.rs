//! Memory of the host, which outlives every module.

use std::alloc::{self, Layout};
use std::sync::OnceLock;

use segue_abi::Heap;

/// What this image allocates with where it is the host, or where no host is: in a unit test of a module.
static OWN: Heap = Heap { allocate, release };

/// The host's, in a module that was attached to one.
static HOST: OnceLock<&'static Heap> = OnceLock::new();

/// The heap that outlives this image.
pub fn heap() -> &'static Heap {
    HOST.get().copied().unwrap_or(&OWN)
}

/// From now on [`heap`] is the host's.
///
/// # Safety
///
/// It is one, as [`Heap`] promises.
pub unsafe fn attach(host: &'static Heap) {
    // A second host is not possible: a module is attached once.
    let _ = HOST.set(host);
}

unsafe extern "C" fn allocate(size: usize, align: usize) -> *mut u8 {
    match Layout::from_size_align(size, align) {
        Ok(layout) if size > 0 => {
            // SAFETY: the size is not 0.
            let place = unsafe { alloc::alloc(layout) };
            if place.is_null() { alloc::handle_alloc_error(layout) } else { place }
        }
        // No type has such a layout; and this must not unwind.
        _ => std::process::abort(),
    }
}

unsafe extern "C" fn release(place: *mut u8, size: usize, align: usize) {
    // SAFETY: our caller hands back what `allocate` answered, with the layout that it checked.
    unsafe { alloc::dealloc(place, Layout::from_size_align_unchecked(size, align)) };
}
