//! Mutations: deliberate defects in the protocol. A loom model applies one to show that the model detects it.
//!
//! Without `--cfg loom` no mutation is ever applied, and the compiler removes the checks.

/// A deliberate defect in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(loom), expect(unreachable_pub, reason = "public for the models"))]
pub enum Mutation {
    /// Removes the caller's fence between counting in and rechecking `current`.
    DropEnterFence,
    /// Removes the writer's fence between storing `current` and summing.
    DropSwitchFence,
    /// Removes the caller's recheck of `current`.
    SkipRecheck,
    /// Weakens the Release of the caller's counting out to Relaxed.
    RelaxLeave,
    /// Removes the leaving caller's fence between counting out and checking the flag.
    DropLeaveFence,
    /// Removes the writer's fence between raising the flag and summing.
    DropWatchFence,
    /// Does not check the flag when an entry is cancelled.
    SkipCancelWake,
    /// Sums `entered` before `left`.
    SumEnteredFirst,
    /// Reads `left` before `entered` to count the callers inside a current occupant.
    CountLeftFirst,
    /// Reuses a lane although a caller may be between counting in and rechecking.
    ReuseBusyLane,
}

/// Whether the running model has applied `mutation`.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn is_mutated(_mutation: Mutation) -> bool {
    false
}

#[cfg(loom)]
std::thread_local! {
    // The standard library's on purpose. loom runs all threads of a model on one OS thread, so there is one
    // value per model. Models that the test harness runs at the same time do not share it.
    static APPLIED: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Whether the running model has applied `mutation`.
#[cfg(loom)]
pub(crate) fn is_mutated(mutation: Mutation) -> bool {
    APPLIED.get() == Some(mutation)
}

/// Applies `mutation`, or none, in all models that this OS thread runs from now on.
#[cfg(loom)]
pub fn mutate(mutation: Option<Mutation>) {
    APPLIED.set(mutation);
}
