//! Where the primitives come from: the machine, or loom. The only file that knows loom.
//!
//! Under `--cfg loom` the atomics, the mutex and the thread-locals are loom's, so that a model runs the same `enter`,
//! `leave` and drained check that production runs. `Arc` and `Weak` stay the standard library's on both sides: loom has no
//! `Weak`, and no ordering of ours leans on a reference count.
//!
//! A compiler fence paired with `membarrier` is outside of what loom (or Miri, or the language) can model. Both sides of
//! the pair are then `fence(SeqCst)`, and that is the right model: the promise we use of `membarrier` is that, for each
//! other thread, everything before some point of its program order happened before the call and everything after that
//! point happens after it. That is a SeqCst fence which the other thread executes at that point, and the light fence is
//! what keeps the compiler from moving the two accesses across the only point that matters.

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

/// loom's macro in the shape of the standard library's for constants.
#[cfg(loom)]
macro_rules! modelled_thread_local {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $init:expr };)*) => {
        loom::thread_local! { $($(#[$attribute])* static $name: $type = $init;)* }
    };
}
#[cfg(loom)]
pub(crate) use modelled_thread_local as thread_local;

/// Whether something other than the machine executes us, which `membarrier` would not reach.
pub(crate) const MODELLED: bool = cfg!(any(loom, miri));

/// Whether loom does, with pieces of the protocol taken out, perhaps.
pub(crate) const MODELLED_BY_LOOM: bool = cfg!(loom);

/// The next id of a cell; never handed out twice.
#[cfg(not(loom))]
pub(crate) fn next_cell_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: only uniqueness counts, which the read-modify-write gives alone.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The next id of a cell, from 0 again in each execution of a model, lest the threads' tables grow with the executions.
#[cfg(loom)]
pub(crate) fn next_cell_id() -> usize {
    loom::lazy_static! { static ref NEXT: AtomicUsize = AtomicUsize::new(0); }
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A piece of the protocol that a model can take out, to show that it would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(loom), expect(unreachable_pub, reason = "public for the models"))]
pub enum Mutation {
    /// The caller's fence between counting in and looking at `current` again.
    DropEnterFence,
    /// The writer's fence between storing `current` and summing.
    DropSwitchFence,
    /// The caller's second look at `current`.
    SkipRecheck,
    /// The release of the caller's counting out.
    RelaxLeave,
    /// The leaver's fence between counting out and looking at the flag.
    DropLeaveFence,
    /// The writer's fence between raising the flag and summing.
    DropWatchFence,
    /// Looking at the flag also when taking back an entry that was not one.
    SkipCancelWake,
    /// Summing `left` before `entered`.
    SumEnteredFirst,
    /// Giving a lane away only when nobody is between counting in and looking again.
    ReuseBusyLane,
}

/// Whether the running model has taken `piece` out.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn is_mutated(_piece: Mutation) -> bool {
    false
}

#[cfg(loom)]
pub(crate) use self::modelled::is_mutated;

#[cfg(loom)]
pub mod modelled {
    //! What the models need beyond the public API.

    pub use super::Mutation;
    use std::cell::Cell;

    std::thread_local! {
        // The standard library's, on purpose: loom runs all threads of one model on one OS thread, so this is one value per
        // model, and models that the test harness runs beside each other have each their own.
        static TAKEN_OUT: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Takes `piece` out of the protocol for all models that this OS thread runs from now on.
    pub fn mutate(piece: Option<Mutation>) {
        TAKEN_OUT.set(piece);
    }

    pub(crate) fn is_mutated(piece: Mutation) -> bool {
        TAKEN_OUT.get() == Some(piece)
    }

    /// What a thread's exit does. Called by hand at the end of a model's thread: loom takes all thread-locals away before it
    /// runs the destructor of the first, the standard library does not.
    pub fn exit_thread() {
        crate::thread_exit::exit();
    }

    /// loom's mutex in the shape of parking_lot's.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("a model that panicked is over")
        }
    }
}
