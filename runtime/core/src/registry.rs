//! All stripes of one cell, with their owners. The cell's mutex guards it.

use crate::api::ThreadCalls;
use crate::current::LANES;
use crate::mutation::{Mutation, is_mutated};
use crate::stripe::{Counters, Stripe};
use crate::thread::{self, ThreadId};
use std::sync::Arc;

/// The owner of a stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Thread(ThreadId),
    /// Its thread has exited. The next new thread takes it.
    Free,
    /// Its thread has exited and left a guard behind, which may still count out here. Never reused.
    Abandoned(ThreadId),
}

#[derive(Debug)]
struct Row {
    stripe: Arc<Stripe>,
    owner: Owner,
    /// The operating system's id of the owner.
    tid: i32,
    /// For each lane, `entered` minus `left` when the lane was started. Not zero if guards have moved between
    /// threads: only the sum over all stripes is zero.
    balance_at_start: [u64; LANES],
}

/// All stripes of one cell. A stripe is never removed, so its address is valid for as long as the cell lives.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    rows: Vec<Row>,
    free: Vec<usize>,
}

/// The sums over all stripes for one lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    entered: u64,
    left: u64,
    non_calls: u64,
}

impl Tally {
    /// Whether nobody is counted in.
    pub(crate) fn is_drained(self) -> bool {
        self.left == self.entered
    }

    pub(crate) fn inside(self) -> u64 {
        self.entered.saturating_sub(self.left)
    }

    pub(crate) fn calls(self) -> u64 {
        self.entered.saturating_sub(self.non_calls)
    }
}

impl Registry {
    /// A stripe for `thread`: one whose thread has exited, or a new one.
    pub(crate) fn acquire(&mut self, thread: ThreadId) -> &Arc<Stripe> {
        let owner = Owner::Thread(thread);
        let row = self.free.pop().unwrap_or_else(|| {
            let row = self.rows.len();
            let stripe = Arc::new(Stripe::new(row));
            self.rows.push(Row { stripe, owner, tid: 0, balance_at_start: [0; LANES] });
            row
        });
        self.rows[row].owner = owner;
        self.rows[row].tid = thread::tid();
        &self.rows[row].stripe
    }

    /// Takes back the stripe of a thread that exits.
    pub(crate) fn release(&mut self, stripe: &Stripe) {
        let row = stripe.row();
        if let (true, Owner::Thread(thread)) = (stripe.has_local_guard(), self.rows[row].owner) {
            self.rows[row].owner = Owner::Abandoned(thread);
        } else {
            self.rows[row].owner = Owner::Free;
            self.free.push(row);
        }
    }

    /// Sums one lane: first all `left`, then `non_calls` and `entered`. If a caller's counting out is in the
    /// first sum, its counting in, on whichever stripe, is in the last: its `left` was acquired, and its
    /// `entered` came before that. So `left <= entered` always holds, and if they are equal, every entry that
    /// was seen is over.
    pub(crate) fn tally(&self, lane: usize) -> Tally {
        let sum = |read: fn(&Counters) -> u64| -> u64 {
            self.rows.iter().map(|row| read(row.stripe.lane(lane))).sum()
        };
        let early =
            if is_mutated(Mutation::SumEnteredFirst) { sum(|counters| counters.entered()) } else { 0 };
        let left = sum(|counters| counters.left());
        let non_calls = sum(|counters| counters.non_calls());
        let entered =
            if is_mutated(Mutation::SumEnteredFirst) { early } else { sum(|counters| counters.entered()) };
        Tally { entered, left, non_calls }
    }

    /// Starts a lane for a new occupant: sets each stripe's baseline to its `entered`. Returns the calls so
    /// far, which do not belong to the new occupant. Returns `None`, and changes nothing, if a thread is
    /// between counting in and the recheck.
    ///
    /// The baseline must be the same value that the comparison used. With a second reading, an entry could
    /// fall between the two: it would count as an earlier one, succeed in the new occupant, and its thread
    /// would be in no list of visitors.
    pub(crate) fn start_lane(&mut self, lane: usize) -> Option<u64> {
        let lefts = self.left(lane);
        let left = lefts.iter().sum();
        let before: Vec<(u64, u64)> = (self.rows.iter().map(|row| row.stripe.lane(lane)))
            .map(|counters| (counters.non_calls(), counters.entered()))
            .collect();
        let (non_calls, entered) = before.iter().fold((0, 0), |(n, e), row| (n + row.0, e + row.1));
        let tally = Tally { entered, left, non_calls };
        if !tally.is_drained() && !is_mutated(Mutation::ReuseBusyLane) {
            return None;
        }
        for ((row, (_, entered)), left) in self.rows.iter_mut().zip(before).zip(lefts) {
            row.stripe.lane(lane).set_baseline(entered);
            row.balance_at_start[lane] = entered.wrapping_sub(left);
        }
        Some(tally.calls())
    }

    /// The threads that have counted themselves in since the lane was started, and have not exited.
    pub(crate) fn visitors(&self, lane: usize) -> Vec<ThreadId> {
        let visitor = |row: &Row| match row.owner {
            Owner::Thread(thread) if row.stripe.lane(lane).has_visited() => Some(thread),
            _ => None,
        };
        self.rows.iter().filter_map(visitor).collect()
    }

    /// `entered` of each stripe.
    pub(crate) fn entered(&self, lane: usize) -> Vec<u64> {
        self.rows.iter().map(|row| row.stripe.lane(lane).entered()).collect()
    }

    /// `left` of each stripe.
    pub(crate) fn left(&self, lane: usize) -> Vec<u64> {
        self.rows.iter().map(|row| row.stripe.lane(lane).left()).collect()
    }

    /// The calls inside a lane, by thread, for these values of each stripe's counters.
    pub(crate) fn calls_by_thread(&self, lane: usize, entered: &[u64], left: &[u64]) -> Vec<ThreadCalls> {
        let inside = |(row, (entered, left)): (&Row, (&u64, &u64))| {
            let (Owner::Thread(thread) | Owner::Abandoned(thread)) = row.owner else { return None };
            let balance = entered.wrapping_sub(*left);
            let calls = balance.wrapping_sub(row.balance_at_start[lane]).cast_signed();
            (calls > 0).then_some(ThreadCalls { thread, tid: row.tid, calls: calls.unsigned_abs() })
        };
        self.rows.iter().zip(entered.iter().zip(left)).filter_map(inside).collect()
    }

    /// The number of stripes, free ones included.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use crate::{Cell, Occupant, Role};
    use std::sync::Arc;

    struct Empty;

    impl Occupant for Empty {
        fn on_thread_exit(&self) {}
    }

    fn cell() -> Arc<Cell<Empty>> {
        let cell = Cell::new(Box::new(|| {}));
        cell.reserve(Arc::new(Empty)).unwrap().publish();
        cell
    }

    #[test]
    fn the_stripes_of_threads_that_exited_are_reused() {
        let cell = cell();
        for _ in 0..1_000 {
            let cell = Arc::clone(&cell);
            std::thread::spawn(move || drop(cell.enter())).join().unwrap();
        }
        assert_eq!(cell.state().lock().registry.len(), 1);
        assert_eq!(cell.count(Role::Current).unwrap().calls, 1_000);
    }

    #[test]
    fn a_stripe_whose_guard_moved_away_is_reused() {
        let cell = cell();
        for _ in 0..100 {
            let cell = Arc::clone(&cell);
            drop(std::thread::spawn(move || cell.enter_owned()).join().unwrap());
        }
        assert_eq!(cell.state().lock().registry.len(), 2, "one for the spawned threads, one for this thread");
    }

    #[test]
    fn calls_by_thread_ignores_guards_that_moved_earlier() {
        let cell = cell();
        for _ in 0..10 {
            // Counted in there and out here: one too many there and one too few here, from then on.
            let there = Arc::clone(&cell);
            drop(std::thread::spawn(move || there.enter_owned()).join().unwrap());
        }
        for _ in 0..2 {
            cell.reserve(Arc::new(Empty)).unwrap().publish();
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
        let (_, exited) = std::thread::spawn(thread).join().unwrap();
        assert_eq!(cell.calls_by_thread(Role::Current).first().map(|calls| calls.thread), Some(exited));
    }

    #[test]
    fn a_stripe_whose_guard_was_forgotten_is_not_reused() {
        let cell = cell();
        for _ in 0..2 {
            let cell = Arc::clone(&cell);
            std::thread::spawn(move || std::mem::forget(cell.enter())).join().unwrap();
        }
        assert_eq!(cell.state().lock().registry.len(), 2);
        assert_eq!(cell.count(Role::Current).unwrap().inside, 2);
    }
}
