//! Replaces `exit`, and the functions that register exit handlers which libc would keep after this image is
//! unmapped.
//!
//! `atexit` needs no replacement: libc stores such a handler with the image's handle, and runs and removes it
//! when the image is unmapped.

use std::{
    ffi::{c_int, c_void},
    sync::atomic::{AtomicI32, Ordering},
};

use crate::{boundary::attached, sys::libc_fn::libc_fn};

/// A handler for `on_exit`.
type Handler = unsafe extern "C" fn(c_int, *mut c_void);

/// The status with which this image ended the process; 0 if it did not. Relaxed, because the thread that
/// writes it also calls the handlers.
static STATUS: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" {
    /// Registers an exit handler with the handle of an image. Part of libc.
    fn __cxa_atexit(
        handler: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        image: *mut c_void,
    ) -> c_int;
    /// The handle with which exit handlers of this image are registered. It is hidden, and part of every file
    /// that a C compiler links.
    static __dso_handle: u8;
}

/// Replaces `exit`: reports the exit to the host before it ends the process.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn exit(status: c_int) -> ! {
    if let Some(host) = attached::host() {
        // SAFETY: the host is valid while code of this image runs.
        unsafe { host.vtable.exiting()(host.context, status) };
    }
    STATUS.store(status, Ordering::Relaxed);
    let exit = libc_fn!(c"exit" as fn(c_int) -> !);
    // SAFETY: our caller's promise, passed on.
    unsafe { exit(status) }
}

/// Replaces `on_exit`: the handler runs when this image is unmapped, with status 0, or when the process ends.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn on_exit(handler: Handler, argument: *mut c_void) -> c_int {
    let registration = Box::into_raw(Box::new((handler, argument)));
    // SAFETY: it is this image's handle, and `run` takes the box once.
    unsafe { __cxa_atexit(run, registration.cast(), (&raw const __dso_handle).cast_mut().cast()) }
}

unsafe extern "C" fn run(registration: *mut c_void) {
    // SAFETY: `on_exit` made the box for this one call.
    let (handler, argument) = *unsafe { Box::from_raw(registration.cast::<(Handler, *mut c_void)>()) };
    // SAFETY: the caller of on_exit asked for this call.
    unsafe { handler(STATUS.load(Ordering::Relaxed), argument) };
}

/// Replaces `__cxa_at_quick_exit`, which `at_quick_exit` calls. It registers nothing, because libc never
/// removes such a handler. So `quick_exit` runs no code of a module.
pub extern "C" fn cxa_at_quick_exit(
    _: unsafe extern "C" fn(*mut c_void),
    _: *mut c_void,
    _: *mut c_void,
) -> c_int {
    0
}
