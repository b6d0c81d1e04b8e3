//! Counts answers, losses and latencies.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use segue::VersionId;

use crate::client::loss::Loss;

/// How many losses get a description. The others are only counted.
const EXAMPLES_MAX: usize = 10;

/// The periods of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Without releases.
    Quiet,
    /// During releases.
    Releases,
}

/// The counts so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Requests that got exactly one right answer.
    pub answered: u64,
    /// Requests that did not.
    pub lost: u64,
    /// When the running slow request was sent.
    pub slow_since: Option<Instant>,
}

/// The counts at the end.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests that got exactly one right answer, by the version and generation that gave it.
    pub answered: BTreeMap<(String, u64), u64>,
    /// Requests that did not, by kind of loss.
    pub losses: BTreeMap<Loss, u64>,
    /// Descriptions of the first losses.
    pub examples: Vec<String>,
    /// The latencies in the period [`Period::Quiet`].
    pub quiet: Latencies,
    /// The latencies in the period [`Period::Releases`].
    pub during: Latencies,
}

/// Latencies in microseconds. Each one is stored, in four bytes.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    us: Vec<u32>,
}

/// The counters of all clients. The clients share one thread, so only a reader contends for the lock.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    period: Option<Period>,
    slow_since: Option<Instant>,
    answered: u64,
    outcome: Outcome,
}

/// Marks a slow request as running until it is dropped.
pub(super) struct SlowRequest<'a> {
    tally: &'a Tally,
}

// === impl Outcome ===

impl Outcome {
    /// How many requests were answered.
    pub fn total(&self) -> u64 {
        self.answered.values().sum()
    }

    /// How many requests were lost.
    pub fn lost(&self) -> u64 {
        self.losses.values().sum()
    }

    /// How many requests each version answered, over all its generations.
    pub fn by_version(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((version, _), count) in &self.answered {
            *sums.entry(version.clone()).or_insert(0) += count;
        }
        sums
    }
}

// === impl Latencies ===

impl Latencies {
    pub(super) fn add(&mut self, latency: Duration) {
        self.us.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// The number of latencies.
    pub fn count(&self) -> usize {
        self.us.len()
    }

    /// The latency in microseconds that `permille` of 1000 answers did not exceed: 500 is the median. `None`
    /// if nothing was measured.
    pub fn permille_us(&self, permille: u32) -> Option<u32> {
        let mut sorted = self.us.clone();
        let last = sorted.len().checked_sub(1)?;
        // The nearest rank: a value that was measured, never an interpolated one.
        let rank = (sorted.len() * permille.min(1000) as usize).div_ceil(1000).saturating_sub(1);
        Some(*sorted.select_nth_unstable(rank.min(last)).1)
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn begin(&self, period: Period) {
        self.counts.lock().period = Some(period);
    }

    pub(super) fn period(&self) -> Option<Period> {
        self.counts.lock().period
    }

    pub(super) fn begin_slow_request(&self) -> SlowRequest<'_> {
        self.counts.lock().slow_since = Some(Instant::now());
        SlowRequest { tally: self }
    }

    pub(super) fn answered(&self, version: VersionId, measured: Option<(Period, Duration)>) {
        let mut counts = self.counts.lock();
        counts.answered += 1;
        *counts.outcome.answered.entry((version.version, version.generation)).or_insert(0) += 1;
        match measured {
            Some((Period::Quiet, latency)) => counts.outcome.quiet.add(latency),
            Some((Period::Releases, latency)) => counts.outcome.during.add(latency),
            None => {}
        }
    }

    pub(super) fn lost(&self, loss: Loss, detail: String) {
        let mut counts = self.counts.lock();
        *counts.outcome.losses.entry(loss).or_insert(0) += 1;
        if counts.outcome.examples.len() < EXAMPLES_MAX {
            counts.outcome.examples.push(format!("{loss}: {detail}"));
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let counts = self.counts.lock();
        Progress { answered: counts.answered, lost: counts.outcome.lost(), slow_since: counts.slow_since }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.counts.lock().outcome.clone()
    }
}

impl Drop for SlowRequest<'_> {
    fn drop(&mut self) {
        self.tally.counts.lock().slow_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_measured_value() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.permille_us(500), None);
        for us in (1..=1000).rev() {
            latencies.add(Duration::from_micros(us));
        }
        assert_eq!(latencies.count(), 1000);
        assert_eq!(latencies.permille_us(0), Some(1));
        assert_eq!(latencies.permille_us(500), Some(500));
        assert_eq!(latencies.permille_us(990), Some(990));
        assert_eq!(latencies.permille_us(1000), Some(1000));
    }

    #[test]
    fn requests_are_counted_by_version_and_losses_by_kind() {
        let tally = Tally::default();
        for generation in 1..=3 {
            let version = if generation == 2 { "1.1.0" } else { "1.0.0" }.to_owned();
            tally.answered(VersionId { version, generation }, None);
        }
        for n in 0..2 * EXAMPLES_MAX {
            tally.lost(if n == 0 { Loss::Reset } else { Loss::Eof }, n.to_string());
        }
        let outcome = tally.outcome();
        assert_eq!(outcome.by_version(), BTreeMap::from([("1.0.0".to_owned(), 2), ("1.1.0".to_owned(), 1)]));
        assert_eq!((outcome.total(), outcome.lost(), outcome.losses[&Loss::Reset]), (3, 20, 1));
        assert_eq!(outcome.examples.len(), EXAMPLES_MAX);
        assert_eq!(outcome.examples[0], "reset: 0");
    }
}
