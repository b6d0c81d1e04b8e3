//! The synchronization primitives: the real ones, or loom's under `--cfg loom`. No other file imports loom's.
//!
//! Under `--cfg loom` the atomics, the mutex and the thread-locals are loom's. A model then runs the same
//! `enter`, `leave` and drain check as production. `Arc` and `Weak` are the standard library's in both cases:
//! loom has no `Weak`, and none of our orderings depends on a reference count.
//!
//! Neither loom nor Miri nor the language can model a compiler fence paired with `membarrier`. Both sides of
//! the pair are `fence(SeqCst)` there, and this is the right model. We use this guarantee of `membarrier`:
//! for each other thread there is a point in its program order such that everything before it happened before
//! the call, and everything after it happens after the call. That is a SeqCst fence which the other thread
//! executes at that point. The light fence keeps the compiler from moving the two accesses across the one
//! point that matters.

#[cfg(not(loom))]
pub(crate) use parking_lot::Mutex;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::thread_local;

#[cfg(loom)]
pub(crate) use self::modelled::Mutex;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};

/// loom's macro with the standard library's syntax for constants.
#[cfg(loom)]
macro_rules! modelled_thread_local {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $init:expr };)*) => {
        loom::thread_local! { $($(#[$attribute])* static $name: $type = $init;)* }
    };
}
#[cfg(loom)]
pub(crate) use modelled_thread_local as thread_local;

/// Whether the program runs under loom or Miri, where `membarrier` has no effect.
pub(crate) const MODELLED: bool = cfg!(any(loom, miri));

/// Whether the program runs under loom, which may apply a mutation.
pub(crate) const MODELLED_BY_LOOM: bool = cfg!(loom);

/// The next cell id. Ids are never reused.
#[cfg(not(loom))]
pub(crate) fn next_cell_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: only uniqueness matters, and the read-modify-write alone ensures it.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The next cell id. Ids restart at 0 in each execution of a model. Otherwise the threads' tables would grow
/// with the number of executions.
#[cfg(loom)]
pub(crate) fn next_cell_id() -> usize {
    loom::lazy_static! { static ref NEXT: AtomicUsize = AtomicUsize::new(0); }
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(loom)]
mod modelled {
    /// loom's mutex with parking_lot's interface.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("a model that panicked does not continue")
        }
    }
}
