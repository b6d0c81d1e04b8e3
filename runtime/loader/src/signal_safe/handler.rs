//! A signal handler of the runtime, with the one address by which it is known.

use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_int, c_void, siginfo_t};

/// A handler with three arguments. One that expects a single argument does not look at the others.
pub(crate) type Function = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// A handler whose address is compared with the one that the kernel has.
///
/// The compiler may place several copies of a function, each with its own address, and it did so in a release
/// build. The address is taken once, here. It never changes, so Relaxed is enough.
pub(crate) struct Handler(AtomicPtr<()>);

impl Handler {
    pub(crate) const fn new(function: Function) -> Self {
        Handler(AtomicPtr::new(function as *mut ()))
    }

    /// The address. Safe in a signal handler.
    pub(crate) fn address(&self) -> usize {
        self.0.load(Ordering::Relaxed).expose_provenance()
    }
}
