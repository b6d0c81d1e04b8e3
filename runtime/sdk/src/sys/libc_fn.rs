//! The original functions of libc, past the hidden symbols of the same names in this image.

use std::ffi::{CStr, c_void};

/// The original function of libc with this name and type. It is looked up once.
///
/// If the function is a cancellation point, libc may unwind its frame and the frames of its callers.
macro_rules! libc_fn {
    ($name:literal as fn($($type:ty),*) -> $result:ty) => {{
        use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
        static ADDRESS: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(std::ptr::null_mut());
        // Relaxed: every thread stores the same address, and nothing is read through it.
        let mut address = ADDRESS.load(Relaxed);
        if address.is_null() {
            address = $crate::sys::libc_fn::lookup($name);
            ADDRESS.store(address, Relaxed);
        }
        type Function = unsafe extern "C-unwind" fn($($type),*) -> $result;
        // SAFETY: that is the type of libc's function with this name.
        let function: Function = unsafe { std::mem::transmute(address) };
        function
    }};
}

pub(crate) use libc_fn;

/// The address of libc's function. The dynamic linker does not see the hidden symbol with the same name.
pub(crate) fn lookup(name: &CStr) -> *mut c_void {
    // SAFETY: a lookup by name in the global scope has no further conditions.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        // The caller cannot continue without the function, and a panic might call it again.
        std::process::abort();
    }
    address
}
