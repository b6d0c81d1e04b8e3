//! Cleans up the resources of this image that outlive its memory, and counts what is left.

use std::ffi::c_void;

use segue_abi::Audit;

use crate::{
    idle,
    interpose::{cpp_memory, thread_locals, threads, timers},
};

unsafe extern "C" {
    /// Runs the exit handlers that were registered with this handle, the latest first. Part of libc.
    fn __cxa_finalize(image: *mut c_void);
    /// The handle with which exit handlers of this image are registered. It is hidden, and part of every file
    /// that a C compiler links.
    static __dso_handle: u8;
}

/// Counts the destructors, keys and unknown threads of this image.
pub(crate) extern "C" fn audit() -> Audit {
    Audit {
        destructors: thread_locals::registered(),
        keys: u32::try_from(thread_locals::key_count()).unwrap_or(u32::MAX),
        unknown_threads: threads::unknown_count(),
    }
}

/// Runs the exit handlers of the image, deletes its keys and timers, and returns what was left before it
/// deleted the keys.
///
/// # Safety
///
/// No thread may run code of this image afterwards, except for the return from this call.
pub(crate) unsafe extern "C" fn release() -> Audit {
    // These are the handlers that `atexit` registered in this image, and the destructors of C++ statics.
    // dlclose would run them too, but too late to destroy the thread-locals that they create on this thread.
    // libc forgets handlers that ran.
    //
    // SAFETY: it is this image's handle, and the handlers expect to run when the image is about to be
    // unmapped.
    unsafe { __cxa_finalize((&raw const __dso_handle).cast_mut().cast()) };
    // An exit handler may have created a timer.
    timers::delete_all();
    thread_locals::detach_thread();
    cpp_memory::free();
    idle::detach_unjoined();
    let left = audit();
    // SAFETY: our caller promises that no code of this image runs any more.
    unsafe { thread_locals::delete_keys() };
    left
}
