//! All stripes of one cell, and whose they are. Guarded by the cell's mutex.

use crate::api::ThreadCalls;
use crate::stripe::{LANES, Stripe};
use crate::sync::{Mutation, is_mutated};
use crate::thread::{self, ThreadId};
use std::sync::Arc;

/// Whose a stripe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Thread(ThreadId),
    /// Its thread has exited; the next newcomer takes it.
    Nobody,
    /// Its thread has exited and left a guard behind, which may still count out here. Never taken again.
    Ghost(ThreadId),
}

#[derive(Debug)]
struct Row {
    stripe: Arc<Stripe>,
    owner: Owner,
    /// The owner, as the system counts threads.
    tid: i32,
    /// By lane: `entered` less `left` when the lane was started. Not zero where guards have moved between threads: only over
    /// all stripes do those sum up to nothing.
    owed: [u64; LANES],
}

/// All stripes of one cell. A stripe never leaves it, so its address is good for as long as the cell lives.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    rows: Vec<Row>,
    free: Vec<usize>,
}

/// The sums over all stripes for one lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) entered: u64,
    pub(crate) left: u64,
    pub(crate) retried: u64,
}

impl Tally {
    /// Nobody is counted in.
    pub(crate) fn is_drained(self) -> bool {
        self.left == self.entered
    }

    pub(crate) fn inside(self) -> u64 {
        self.entered.saturating_sub(self.left)
    }

    pub(crate) fn calls(self) -> u64 {
        self.entered.saturating_sub(self.retried)
    }
}

impl Registry {
    /// A stripe for `thread`: that of a thread which has exited, or a new one.
    pub(crate) fn take(&mut self, thread: ThreadId) -> &Arc<Stripe> {
        let owner = Owner::Thread(thread);
        let row = self.free.pop().unwrap_or_else(|| {
            let row = self.rows.len();
            self.rows.push(Row { stripe: Arc::new(Stripe::new(row)), owner, tid: 0, owed: [0; LANES] });
            row
        });
        self.rows[row].owner = owner;
        self.rows[row].tid = thread::tid();
        &self.rows[row].stripe
    }

    /// The stripe's thread exits.
    pub(crate) fn give_back(&mut self, stripe: &Stripe) {
        let row = stripe.row();
        if let (true, Owner::Thread(thread)) = (stripe.is_held(), self.rows[row].owner) {
            self.rows[row].owner = Owner::Ghost(thread);
        } else {
            self.rows[row].owner = Owner::Nobody;
            self.free.push(row);
        }
    }

    /// Sums one lane: first all `left`, then `retried` and `entered`. A caller whose counting out is in the first sum then
    /// has its counting in, on whichever stripe, in the last: its `left` was acquired, and its `entered` was before that.
    /// So `left <= entered` always, and if they are equal then each entry that was seen is over.
    pub(crate) fn tally(&self, lane: usize) -> Tally {
        let sum = |read: fn(&crate::stripe::Counters) -> u64| -> u64 {
            self.rows.iter().map(|row| read(row.stripe.lane(lane))).sum()
        };
        let early =
            if is_mutated(Mutation::SumEnteredFirst) { sum(|counters| counters.entered()) } else { 0 };
        let left = sum(|counters| counters.left());
        let retried = sum(|counters| counters.retried());
        let entered =
            if is_mutated(Mutation::SumEnteredFirst) { early } else { sum(|counters| counters.entered()) };
        Tally { entered, left, retried }
    }

    /// Starts a lane for a new occupant: each stripe's baseline becomes its `entered`. None, and nothing done, if somebody
    /// is between counting in and the second look; else the calls so far, which are none of the new occupant's.
    ///
    /// The baseline must be the very value that the comparison was made of, or an entry could fall between the two
    /// readings, be taken for old, and then succeed in the new occupant with its thread in nobody's list of visitors.
    pub(crate) fn start(&mut self, lane: usize) -> Option<u64> {
        let lefts: Vec<u64> = self.rows.iter().map(|row| row.stripe.lane(lane).left()).collect();
        let left = lefts.iter().sum();
        let before: Vec<(u64, u64)> = (self.rows.iter().map(|row| row.stripe.lane(lane)))
            .map(|counters| (counters.retried(), counters.entered()))
            .collect();
        let (retried, entered) = before.iter().fold((0, 0), |(r, e), now| (r + now.0, e + now.1));
        let tally = Tally { entered, left, retried };
        if !tally.is_drained() && !is_mutated(Mutation::ReuseBusyLane) {
            return None;
        }
        for ((row, (_, entered)), left) in self.rows.iter_mut().zip(before).zip(lefts) {
            row.stripe.lane(lane).rebase(entered);
            row.owed[lane] = entered.wrapping_sub(left);
        }
        Some(tally.calls())
    }

    /// The threads that have counted themselves in since the lane was started, and have not exited.
    pub(crate) fn visitors(&self, lane: usize) -> Vec<ThreadId> {
        let visitor = |row: &Row| match row.owner {
            Owner::Thread(thread) if row.stripe.lane(lane).visited() => Some(thread),
            _ => None,
        };
        self.rows.iter().filter_map(visitor).collect()
    }

    /// Who is inside a lane, by thread.
    pub(crate) fn calls_by_thread(&self, lane: usize) -> Vec<ThreadCalls> {
        let inside = |row: &Row| {
            let (Owner::Thread(thread) | Owner::Ghost(thread)) = row.owner else { return None };
            let counters = row.stripe.lane(lane);
            let left = counters.left();
            let calls = counters.entered().wrapping_sub(left).wrapping_sub(row.owed[lane]).cast_signed();
            (calls > 0).then_some(ThreadCalls { thread, tid: row.tid, calls: calls.unsigned_abs() })
        };
        self.rows.iter().filter_map(inside).collect()
    }

    /// How many stripes there are, taken or not.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "a test says what it means by failing")]
mod tests {
    use crate::{Cell, Occupant, Role};
    use std::sync::Arc;

    struct Quiet;

    impl Occupant for Quiet {
        fn on_thread_exit(&self) {}
    }

    fn cell() -> Arc<Cell<Quiet>> {
        let cell = Cell::new(Box::new(|| {}));
        cell.reserve(Arc::new(Quiet)).unwrap().publish();
        cell
    }

    #[test]
    fn stripes_do_not_grow_with_threads_that_came_and_went() {
        let cell = cell();
        for _ in 0..1_000 {
            let cell = Arc::clone(&cell);
            std::thread::spawn(move || drop(cell.enter())).join().unwrap();
        }
        assert_eq!(cell.state().lock().registry.len(), 1);
        assert_eq!(cell.count(Role::Current).unwrap().calls, 1_000);
    }

    #[test]
    fn a_guard_that_moved_away_does_not_cost_a_stripe() {
        let cell = cell();
        for _ in 0..100 {
            let cell = Arc::clone(&cell);
            drop(std::thread::spawn(move || cell.enter_owned()).join().unwrap());
        }
        assert_eq!(cell.state().lock().registry.len(), 2, "one for them, one for us");
    }

    #[test]
    fn who_is_inside_is_told_by_thread_also_when_guards_have_moved_before() {
        let cell = cell();
        for _ in 0..10 {
            // Counted in there and out here: 1 too many there, and 1 too few here, for ever.
            let there = Arc::clone(&cell);
            drop(std::thread::spawn(move || there.enter_owned()).join().unwrap());
        }
        for _ in 0..2 {
            cell.reserve(Arc::new(Quiet)).unwrap().publish();
            drop(cell.vacate(Role::Old));
        }
        assert!(cell.calls_by_thread(Role::Current).is_empty(), "{:?}", cell.calls_by_thread(Role::Current));
        let guards = [cell.enter(), cell.enter()];
        let inside = cell.calls_by_thread(Role::Current);
        assert_eq!((inside.len(), inside[0].calls, inside[0].thread), (1, 2, crate::ThreadId::current()));
        assert_eq!(inside[0].tid, crate::thread::tid());
        drop(guards);
        let there = Arc::clone(&cell);
        let thread = move || (std::mem::forget(there.enter()), crate::ThreadId::current());
        let (_, gone) = std::thread::spawn(thread).join().unwrap();
        assert_eq!(cell.calls_by_thread(Role::Current).first().map(|inside| inside.thread), Some(gone));
    }

    #[test]
    fn a_stripe_whose_guard_was_forgotten_is_not_used_again() {
        let cell = cell();
        for _ in 0..2 {
            let cell = Arc::clone(&cell);
            std::thread::spawn(move || std::mem::forget(cell.enter())).join().unwrap();
        }
        assert_eq!(cell.state().lock().registry.len(), 2);
        assert_eq!(cell.count(Role::Current).unwrap().inside, 2);
    }
}
