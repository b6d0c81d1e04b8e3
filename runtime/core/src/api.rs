//! The plain data types of the cell's operations: arguments, results and errors.

use crate::thread::ThreadId;
use std::sync::Arc;

/// The role of an occupant in its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The occupant that new calls enter.
    Current,
    /// The previous occupant, which new calls no longer reach.
    Old,
    /// An occupant that was old and gave up that role.
    Quarantined(Quarantine),
}

/// Names an occupant in quarantine. After that occupant has been taken out of the cell, the name matches no
/// occupant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quarantine {
    pub(crate) lane: usize,
    /// Counts the cell's quarantines, from 1.
    pub(crate) number: u64,
}

/// The counters of one occupant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The callers inside, including threads on their way out. For a current occupant, at most the number
    /// that were inside at one moment of the count, and exact if no caller enters or leaves meanwhile. For
    /// any other occupant, never too low: zero means drained.
    pub inside: u64,
    /// The calls that entered since the occupant was given its lane. Exact if no caller is inside. Otherwise
    /// the number may include an entry that is about to be cancelled because a new occupant was just
    /// published.
    pub calls: u64,
}

/// The calls of one thread that are inside an occupant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadCalls {
    /// The thread that entered. If it has exited and left a guard behind, this is still that thread.
    pub thread: ThreadId,
    /// The operating system's id of the thread.
    pub tid: i32,
    /// The calls that the thread made and that have not ended. While a thread calls a current occupant all
    /// the time, it may be missing. An owned guard is added to the thread that made it and subtracted from
    /// the thread that drops it. If these differ, a thread may be missing or have too many calls.
    pub calls: u64,
}

/// Whether callers that leave the current occupant call `wake`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeRequest {
    /// They do.
    On,
    /// They do not.
    Off,
}

/// The result of [`Cell::vacate`](crate::Cell::vacate).
#[derive(Debug)]
pub enum VacateOutcome<T> {
    /// There is no such occupant.
    Absent,
    /// Callers are inside the occupant. It stays in the cell.
    Busy {
        /// The number of callers inside.
        inside: u64,
    },
    /// The occupant, taken out of the cell. The cell keeps no reference to it.
    Vacated(Arc<T>),
}

/// Why [`Cell::reserve`](crate::Cell::reserve) failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// There are two versions already. Purge the old one first.
    #[error("an old version is still present; purge it first")]
    OldPresent,
    /// Another candidate has a reservation.
    #[error("another version is being loaded; wait until that load ends")]
    Reserved,
    /// No lane is free: quarantined generations hold the others. A free lane is also skipped while a thread
    /// is about to cancel an entry into it, which takes a few instructions. If no generation is quarantined,
    /// this was the case in seven lanes at once, and another attempt helps.
    #[error("no lane is free: quarantined versions hold the others")]
    NoFreeLane,
}

/// There is no old occupant to roll back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no old version to roll back to")]
pub struct NothingToRollBack;

/// The current occupant cannot be withdrawn now, or there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no current version to withdraw, or an old version or a candidate is present")]
pub struct WithdrawError;
