//! What is left of this image outside of its memory, and how it is given back.

use std::ffi::c_void;

use segue_abi::Audit;

use crate::{
    idle,
    interpose::{cpp_memory, thread_locals, threads, timers},
};

unsafe extern "C" {
    /// Runs the exit handlers that were registered with this handle, the latest first. Of libc.
    fn __cxa_finalize(image: *mut c_void);
    /// What exit handlers of this image are registered with. Hidden, and in every file that a C compiler links.
    static __dso_handle: u8;
}

pub(crate) extern "C" fn audit() -> Audit {
    Audit {
        destructors: thread_locals::registered(),
        keys: u32::try_from(thread_locals::key_count()).unwrap_or(u32::MAX),
        unknown_threads: threads::unknown(),
    }
}

/// Runs the exit handlers of the image, gives the keys back, and says what is left.
///
/// # Safety
///
/// No thread may run code of this image afterwards, but for this call's return.
pub(crate) unsafe extern "C" fn release() -> Audit {
    // What `atexit` registered in here, and the destructors of C++ statics. dlclose would run them too, but then what they
    // leave on this thread could not be destroyed any more. libc forgets those that it has run.
    // SAFETY: it is this image's own handle, and the handlers expect to run when the image is about to go.
    unsafe { __cxa_finalize((&raw const __dso_handle).cast_mut().cast()) };
    // One that an exit handler began.
    timers::end_all();
    thread_locals::detach_thread();
    cpp_memory::free();
    idle::forget_unjoined();
    let left = audit();
    // SAFETY: our caller promises that no code of this image runs any more.
    unsafe { thread_locals::delete_keys() };
    left
}
