//! Whether a thread waits, and whether it may resume: one word. How it waits does not matter here.
//!
//! A loom model compiles this file (`runtime/core/tests/loom_idle.rs`), so the atomics are those of `std` or
//! of loom.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering::SeqCst};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// The thread runs code of this image, or a call that is not known to wait. Written by the thread.
const RUNNING: u32 = 0;
/// The thread waits, and its next step in this image is [`State::end_wait`]. Written by the thread.
const WAITING: u32 = 1;
/// The thread waits and may not resume. Written by the thread that ends others, in place of WAITING.
pub(super) const HELD: u32 = 2;
/// The thread waits, and must end instead of resuming. Written by the thread that ends others, in place of
/// HELD.
const ENDING: u32 = 3;

/// The state of one thread. Both sides change it by compare-and-swap, so each sees what the other has
/// written.
pub(super) struct State(AtomicU32);

/// The next step of a thread that has finished waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterWait {
    /// The thread resumes.
    Resume,
    /// The thread calls [`State::end_wait`] again when its state has changed.
    StayHeld,
    /// The thread ends.
    End,
}

/// The meeting point of threads that end: none of them abandons its functions before all have arrived. Until
/// then, one of them may use variables on the stack of another. For example, libc does so with a condition
/// there.
pub(super) struct Barrier {
    /// The number of threads that have not arrived. Written first by the thread that ends others, before the
    /// first one of them ends, and then by the threads that arrive.
    missing: AtomicU32,
}

impl State {
    /// The state of a thread that runs.
    pub(super) fn new() -> Self {
        State(AtomicU32::new(RUNNING))
    }

    /// Records that the thread is about to wait. Returns whether it was running until now.
    pub(super) fn begin_wait(&self) -> bool {
        self.change(RUNNING, WAITING)
    }

    /// Records that the thread has finished waiting, if it may resume. Returns its next step.
    pub(super) fn end_wait(&self) -> AfterWait {
        match self.0.compare_exchange(WAITING, RUNNING, SeqCst, SeqCst) {
            Ok(_) => AfterWait::Resume,
            Err(ENDING) => AfterWait::End,
            Err(_) => AfterWait::StayHeld,
        }
    }

    /// Whether the thread must end.
    pub(super) fn is_ending(&self) -> bool {
        self.0.load(SeqCst) == ENDING
    }

    /// Whether the thread waits at this moment. That is not enough to end anything: a variant of the model
    /// shows so.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.load(SeqCst) == WAITING
    }

    /// The address of the word, to wait for a change of it.
    #[cfg(not(loom))]
    pub(super) fn word(&self) -> *mut u32 {
        self.0.as_ptr()
    }

    /// Changes the state from `from` to `to`. Returns false, and changes nothing, if it was not `from`.
    fn change(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }
}

impl Barrier {
    /// A barrier for which no thread is missing.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Barrier { missing: AtomicU32::new(0) }
    }

    /// The same, not const, because loom's atomics cannot be made at compile time.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Barrier { missing: AtomicU32::new(0) }
    }

    /// Records that the calling thread has arrived: it no longer uses variables on other stacks. Returns
    /// whether it is the last one.
    pub(super) fn arrive(&self) -> bool {
        self.missing.fetch_sub(1, SeqCst) == 1
    }

    /// The number of threads that have not arrived. The threads may abandon their functions when it is 0.
    pub(super) fn missing(&self) -> u32 {
        self.missing.load(SeqCst)
    }

    /// The address of the word, to wait for a change of it.
    #[cfg(not(loom))]
    pub(super) fn word(&self) -> *mut u32 {
        self.missing.as_ptr()
    }
}

/// Makes all threads end, if all of them wait and `are_all` confirms that these are all threads. Returns
/// whether they end; they then meet at the barrier. Otherwise all states are as before. `on_change` must wake
/// a thread that [stays held](AfterWait::StayHeld).
///
/// The threads are held one after the other. A held thread cannot resume until all are held or all are
/// released, so at the moment when all are held, none of them runs.
pub(super) fn end_if_all_wait<'a>(
    states: impl Iterator<Item = &'a State> + Clone,
    barrier: &Barrier,
    are_all: impl FnOnce() -> bool,
    on_change: impl Fn(&'a State),
) -> bool {
    let total = states.clone().count();
    let held = states.clone().take_while(|state| state.change(WAITING, HELD)).count();
    let next = if held == total && are_all() { ENDING } else { WAITING };
    if next == ENDING {
        // A process cannot have more than u32::MAX threads.
        barrier.missing.store(total as u32, SeqCst);
    }
    for state in states.take(held) {
        state.change(HELD, next);
        on_change(state);
    }
    next == ENDING
}
