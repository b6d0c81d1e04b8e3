//! How much a run measures.

use std::time::Duration;

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The number of rounds.
    pub(crate) rounds: u32,
    /// How long one way is called in a round: many thousand calls, yet shorter than most disturbances.
    pub(crate) span: Duration,
    /// How long the callers are measured in a round, with a storm and without.
    pub(crate) phase: Duration,
}

// === impl Plan ===

impl Default for Plan {
    fn default() -> Self {
        Plan { rounds: 101, span: Duration::from_millis(4), phase: Duration::from_millis(25) }
    }
}

impl Plan {
    /// A smoke test.
    pub(crate) fn quick() -> Self {
        Plan { rounds: 11, span: Duration::from_millis(1), phase: Duration::from_millis(10) }
    }

    /// The line below the table.
    pub(crate) fn describe(&self) -> String {
        let fences = if segue_core::Fences::detect().is_asymmetric() {
            "callers execute no fence (membarrier)"
        } else {
            "callers execute fences (no membarrier here)"
        };
        format!(
            "medians of {} rounds; {} ms per way and {} ms per storm; {fences}",
            self.rounds,
            self.span.as_millis(),
            self.phase.as_millis()
        )
    }
}
