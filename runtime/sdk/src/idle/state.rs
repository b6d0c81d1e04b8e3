//! Whether a thread waits, and whether it may go on: one word, with no opinion on how it waits.
//!
//! A model runs this file (`runtime/core/tests/loom_idle.rs`), so the atomics are the machine's or loom's.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering::SeqCst};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// It runs code of this image, or something that is not known to wait. Written by the thread.
const RUNS: u32 = 0;
/// It waits, and its next step in this image is [`State::end_wait`]. Written by the thread.
const WAITS: u32 = 1;
/// It waits, and may not go on. Written by who ends threads, in place of WAITS.
pub(super) const HELD: u32 = 2;
/// It waits, and ends instead of going on. Written by who ends threads, in place of HELD.
const ENDS: u32 = 3;

/// The state of one thread. Both sides change it by compare-and-swap, so each sees what the other has
/// written.
pub(super) struct State(AtomicU32);

/// What a thread does that waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It goes on.
    GoOn,
    /// It asks again, when its state has changed.
    AskAgain,
    /// It ends.
    End,
}

/// Where threads that end meet: none of them leaves its functions before all have arrived. Until then, one of
/// them may use what is on the stack of another: libc does, with a condition that lies there.
pub(super) struct Barrier {
    /// How many have not arrived. Written by who ends threads before the first one ends, then by those.
    missing: AtomicU32,
}

impl State {
    /// Of a thread that runs.
    pub(super) fn new() -> Self {
        State(AtomicU32::new(RUNS))
    }

    /// The thread is about to wait; whether it ran until now.
    pub(super) fn begin_wait(&self) -> bool {
        self.change(RUNS, WAITS)
    }

    /// The thread waits no more.
    pub(super) fn end_wait(&self) -> Next {
        match self.0.compare_exchange(WAITS, RUNS, SeqCst, SeqCst) {
            Ok(_) => Next::GoOn,
            Err(ENDS) => Next::End,
            Err(_) => Next::AskAgain,
        }
    }

    /// Whether it is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.0.load(SeqCst) == ENDS
    }

    /// Whether it waits at this moment. Not enough to end anything, as the model's broken twin shows.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.load(SeqCst) == WAITS
    }

    /// The word, to wait for a change of it.
    #[cfg(not(loom))]
    pub(super) fn word(&self) -> *mut u32 {
        self.0.as_ptr()
    }

    /// Whether the state was `from`, and is `to` now.
    fn change(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }
}

impl Barrier {
    /// Nobody is missing.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Barrier { missing: AtomicU32::new(0) }
    }

    /// As above: the model's atomics are not made at compile time.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Barrier { missing: AtomicU32::new(0) }
    }

    /// The calling thread has arrived: it uses nothing any more that is on another stack. Whether it is the
    /// last.
    pub(super) fn arrive(&self) -> bool {
        self.missing.fetch_sub(1, SeqCst) == 1
    }

    /// How many have not arrived. The threads may leave when it is 0.
    pub(super) fn missing(&self) -> u32 {
        self.missing.load(SeqCst)
    }

    /// The word, to wait for a change of it.
    #[cfg(not(loom))]
    pub(super) fn word(&self) -> *mut u32 {
        self.missing.as_ptr()
    }
}

/// Has all of them end, if all of them wait and these are all; whether they do. Then they are to meet at the
/// barrier. Otherwise nothing has changed. `changed` wakes a thread that [asks again](Next::AskAgain).
///
/// One after the other is held where it is. What one has seen that is held stays so until all are, so at that
/// moment none runs.
pub(super) fn end_if_all_wait<'a>(
    states: impl Iterator<Item = &'a State> + Clone,
    barrier: &Barrier,
    are_all: impl FnOnce() -> bool,
    changed: impl Fn(&'a State),
) -> bool {
    let all = states.clone().count();
    let held = states.clone().take_while(|state| state.change(WAITS, HELD)).count();
    let next = if held == all && are_all() { ENDS } else { WAITS };
    if next == ENDS {
        // A process cannot have more threads than that.
        barrier.missing.store(all as u32, SeqCst);
    }
    for state in states.take(held) {
        state.change(HELD, next);
        changed(state);
    }
    next == ENDS
}
