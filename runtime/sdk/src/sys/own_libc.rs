//! libc's own functions, past the hidden symbols of the same names.

use std::ffi::{CStr, c_void};

/// A function of libc, by its name and its type, looked up once. If it is a cancellation point, its frame and
/// those below may be unwound.
macro_rules! found {
    ($name:literal as fn($($type:ty),*) -> $result:ty) => {{
        use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
        static FOUND: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(std::ptr::null_mut());
        // Relaxed: it is always the same, and nothing is read through it.
        let mut found = FOUND.load(Relaxed);
        if found.is_null() {
            found = $crate::sys::own_libc::address($name);
            FOUND.store(found, Relaxed);
        }
        type Function = unsafe extern "C-unwind" fn($($type),*) -> $result;
        // SAFETY: that is the type of libc's function of this name.
        let function: Function = unsafe { std::mem::transmute(found) };
        function
    }};
}

pub(crate) use found;

/// The address of libc's own function, past the hidden symbol of the same name, which the dynamic linker does not see.
pub(crate) fn address(name: &CStr) -> *mut c_void {
    // SAFETY: a look-up by name, in the scope of the process, has no further conditions.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if function.is_null() {
        // Without it nothing can go on, and a panic might come here again.
        std::process::abort();
    }
    function
}
