//! A signal handler of the runtime with a unique address.

use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_int, c_void, siginfo_t};

/// A handler with three arguments. A handler that expects one argument ignores the others.
pub(crate) type Function = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// A handler whose address is compared with the one in the kernel.
///
/// The compiler may emit several copies of a function with different addresses. It did so in a release build.
/// So the address is taken only once, here. It never changes, so Relaxed is enough.
pub(crate) struct Handler(AtomicPtr<()>);

impl Handler {
    pub(crate) const fn new(function: Function) -> Self {
        Handler(AtomicPtr::new(function as *mut ()))
    }

    /// The address. Async-signal-safe.
    pub(crate) fn address(&self) -> usize {
        self.0.load(Ordering::Relaxed).expose_provenance()
    }
}
