//! Stands in for exit handlers that libc would keep for longer than this image is in memory.
//!
//! `atexit` needs nothing: libc keeps such a handler with the image's handle, and runs and forgets it when
//! the image goes.

use std::{
    ffi::{c_int, c_void},
    sync::atomic::{AtomicI32, Ordering},
};

use crate::{boundary::attached, sys::libc_fn::libc_fn};

/// A handler, as `on_exit` takes one.
type Handler = unsafe extern "C" fn(c_int, *mut c_void);

/// What this image ended the process with, if it did. Relaxed: the thread that writes it calls the handlers.
static STATUS: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" {
    /// Registers an exit handler with the handle of an image. Of libc.
    fn __cxa_atexit(
        handler: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        image: *mut c_void,
    ) -> c_int;
    /// What exit handlers of this image are registered with. Hidden, and in every file that a C compiler
    /// links.
    static __dso_handle: u8;
}

/// Stands in for `exit`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn exit(status: c_int) -> ! {
    if let Some(host) = attached::host() {
        // SAFETY: the host is valid while code of this image runs.
        unsafe { host.vtable.exiting()(host.context, status) };
    }
    STATUS.store(status, Ordering::Relaxed);
    let exit = libc_fn!(c"exit" as fn(c_int) -> !);
    // SAFETY: our caller's promise, handed on.
    unsafe { exit(status) }
}

/// Stands in for `on_exit`: the handler runs when this image goes, with status 0, or when the process ends.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn on_exit(handler: Handler, argument: *mut c_void) -> c_int {
    let both = Box::into_raw(Box::new((handler, argument)));
    // SAFETY: it is this image's own handle, and `run` takes the box once.
    unsafe { __cxa_atexit(run, both.cast(), (&raw const __dso_handle).cast_mut().cast()) }
}

unsafe extern "C" fn run(both: *mut c_void) {
    // SAFETY: `on_exit` made the box for this one call.
    let (handler, argument) = *unsafe { Box::from_raw(both.cast::<(Handler, *mut c_void)>()) };
    // SAFETY: that is what the caller of on_exit asked for.
    unsafe { handler(STATUS.load(Ordering::Relaxed), argument) };
}

/// Stands in for `__cxa_at_quick_exit`, which `at_quick_exit` is made of. libc never forgets such a handler,
/// so it is not registered: `quick_exit` runs no code of a module.
pub extern "C" fn at_quick_exit(
    _: unsafe extern "C" fn(*mut c_void),
    _: *mut c_void,
    _: *mut c_void,
) -> c_int {
    0
}
