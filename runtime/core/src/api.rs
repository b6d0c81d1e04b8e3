//! What a cell is asked, and what it answers.

use crate::thread::ThreadId;
use std::sync::Arc;

/// Which occupant is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one that new calls enter.
    Current,
    /// The one that new calls cannot reach any more.
    Old,
    /// One that was old and gave up the place of old.
    Quarantined(Quarantine),
}

/// Names an occupant in quarantine. When that has been taken out of the cell, the name means nobody, and never another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quarantine {
    pub(crate) lane: usize,
    /// Counts the quarantines of the cell.
    pub(crate) number: u64,
}

/// What the counters say of one occupant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Callers inside, threads on their way out included. Never too few for one that is not current: zero means drained.
    pub inside: u64,
    /// Calls that entered since the occupant was given its lane. Exact if `inside` is zero. Otherwise an entry that is being
    /// retried, because a new occupant was published in that very moment, may be among them until it is taken back.
    pub calls: u64,
}

/// Who is inside an occupant, of one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadCalls {
    /// The thread that entered. Where one has exited and left a guard behind, it is that one still.
    pub thread: ThreadId,
    /// The thread, as the system counts them.
    pub tid: i32,
    /// The calls that it made and that have not ended. An owned guard counts where it was made, and one that was dropped on
    /// another thread is taken off there: so with such guards about, a thread may be missing or have too many.
    pub calls: u64,
}

/// Whether callers who pass are to call `wake`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeRequest {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// What [`Cell::vacate`](crate::Cell::vacate) found.
#[derive(Debug)]
pub enum VacateOutcome<T> {
    /// There is no such occupant.
    Absent,
    /// Somebody is inside the occupant, which stays.
    Busy {
        /// How many.
        inside: u64,
    },
    /// The occupant, out of the cell. The cell keeps nothing of it.
    Vacated(Arc<T>),
}

/// There is no old occupant to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no old version to roll back to")]
pub struct NothingToRollBack;

/// There is no current occupant that could be withdrawn now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no current version, or an old one, or a candidate, is in the way")]
pub struct WithdrawError;
