//! What the clients have seen.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use segue::VersionId;

use super::Loss;

/// How many losses are told in words; the others are counted only.
const EXAMPLES_MAX: usize = 10;

/// What goes on while requests are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing but the requests.
    Quiet,
    /// Releases.
    During,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Requests that got their one right answer.
    pub answered: u64,
    /// Requests that did not.
    pub lost: u64,
    /// When the slow request that is under way was sent.
    pub slow_since: Option<Instant>,
}

/// What happened in all.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests that got their one right answer, by the version that gave it.
    pub answered: BTreeMap<(String, u64), u64>,
    /// Requests that did not, by the way they were lost.
    pub losses: BTreeMap<Loss, u64>,
    /// The first losses in words.
    pub examples: Vec<String>,
    /// Measured while nothing else happened.
    pub quiet: Latencies,
    /// Measured while releases happened.
    pub during: Latencies,
}

/// How long answers took, in microseconds. Each is kept: four bytes a request.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    us: Vec<u32>,
}

/// Written by all clients. They run on one thread, so its lock is free but for the moment in which somebody looks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    phase: Option<Phase>,
    slow_since: Option<Instant>,
    count: u64,
    outcome: Outcome,
}

/// A slow request, while it is under way.
pub(super) struct Slow<'a> {
    tally: &'a Tally,
}

// === impl Outcome ===

impl Outcome {
    /// The requests that were answered, in all.
    pub fn total(&self) -> u64 {
        self.answered.values().sum()
    }

    /// The requests that were lost, in all.
    pub fn lost(&self) -> u64 {
        self.losses.values().sum()
    }

    /// The requests that were answered, by version, whatever the generation.
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
    pub(super) fn add(&mut self, took: Duration) {
        self.us.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// How many were measured.
    pub fn count(&self) -> usize {
        self.us.len()
    }

    /// The latency, in microseconds, that this many thousandths of the answers did not exceed: 500 is the median. None
    /// where nothing was measured.
    pub fn permille_us(&self, permille: u32) -> Option<u32> {
        let mut sorted = self.us.clone();
        let last = sorted.len().checked_sub(1)?;
        // The nearest rank: a value that was measured, never one in between.
        let rank = (sorted.len() * permille.min(1000) as usize).div_ceil(1000).saturating_sub(1);
        Some(*sorted.select_nth_unstable(rank.min(last)).1)
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn begin(&self, phase: Phase) {
        self.seen.lock().phase = Some(phase);
    }

    pub(super) fn phase(&self) -> Option<Phase> {
        self.seen.lock().phase
    }

    pub(super) fn slow_begins(&self) -> Slow<'_> {
        self.seen.lock().slow_since = Some(Instant::now());
        Slow { tally: self }
    }

    pub(super) fn answered(&self, version: VersionId, measured: Option<(Phase, Duration)>) {
        let mut seen = self.seen.lock();
        seen.count += 1;
        *seen.outcome.answered.entry((version.version, version.generation)).or_insert(0) += 1;
        match measured {
            Some((Phase::Quiet, took)) => seen.outcome.quiet.add(took),
            Some((Phase::During, took)) => seen.outcome.during.add(took),
            None => {}
        }
    }

    pub(super) fn lost(&self, loss: Loss, detail: String) {
        let mut seen = self.seen.lock();
        *seen.outcome.losses.entry(loss).or_insert(0) += 1;
        if seen.outcome.examples.len() < EXAMPLES_MAX {
            seen.outcome.examples.push(format!("{loss}: {detail}"));
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let seen = self.seen.lock();
        Progress { answered: seen.count, lost: seen.outcome.lost(), slow_since: seen.slow_since }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.seen.lock().outcome.clone()
    }
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        self.tally.seen.lock().slow_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
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
