//! The figures at the end of the demo.

use std::collections::BTreeMap;

use segue::{Event, Runtime};
use serde::Serialize;

use crate::client::{Latencies, Outcome};

/// The losses and latencies that the clients saw, and how long the releases took. The JSON field names are
/// stable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The requests that got exactly one right answer.
    pub requests: Requests,
    /// The requests that did not. The demo fails if it is not 0.
    pub lost: u64,
    /// The lost requests, by kind of loss.
    pub losses: BTreeMap<&'static str, u64>,
    /// Descriptions of the first losses.
    pub loss_examples: Vec<String>,
    /// How often another version became current.
    pub releases: u64,
    /// How many of these were files put into the modules directory.
    pub dropped_in: u64,
    /// How many of these were loads over the control socket.
    pub loaded: u64,
    /// How many of these were rollbacks.
    pub rolled_back: u64,
    /// How long the store that makes a version current took, in microseconds, without drop-ins.
    pub publish_us: Option<Spread>,
    /// The time from becoming old to the end of the last call, in milliseconds.
    pub drain_ms: Option<Spread>,
    /// The time from the end of the last call to being unmapped, in milliseconds.
    pub purge_ms: Option<Spread>,
    /// How many module images the dynamic linker lists at the end. It is 1 if every old version was unloaded.
    pub images_mapped: usize,
    /// The median latency, in microseconds.
    pub p50_us: Comparison,
    /// The latency that 99 of 100 answers did not exceed, in microseconds.
    pub p99_us: Comparison,
}

/// Answered requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// All of them.
    pub total: u64,
    /// By the version that answered.
    pub by_version: BTreeMap<String, u64>,
}

/// A median and a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The maximum.
    pub max: f64,
}

/// The same measure in two periods; null if nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// While nothing was released.
    pub quiet: Option<u32>,
    /// While versions were released.
    pub during: Option<u32>,
}

/// The figures of the releases; see [`Report`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ReleaseFigures {
    pub(crate) dropped_in: u64,
    pub(crate) loaded: u64,
    pub(crate) rolled_back: u64,
    pub(crate) publish_us: Option<Spread>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(outcome: &Outcome, figures: ReleaseFigures, runtime: &Runtime) -> Self {
        let (mut drain_us, mut purge_us) = (Vec::new(), Vec::new());
        for record in runtime.events().recent(0) {
            if let Event::Purged { drain_us: drain, purge_us: purge, .. } = record.event {
                drain_us.push(drain);
                purge_us.push(purge);
            }
        }
        let compared = |permille| Comparison::of(&outcome.quiet, &outcome.during, permille);
        Report {
            requests: Requests { total: outcome.total(), by_version: outcome.by_version() },
            lost: outcome.lost(),
            losses: outcome.losses.iter().map(|(loss, count)| (loss.name(), *count)).collect(),
            loss_examples: outcome.examples.clone(),
            releases: figures.dropped_in + figures.loaded + figures.rolled_back,
            dropped_in: figures.dropped_in,
            loaded: figures.loaded,
            rolled_back: figures.rolled_back,
            publish_us: figures.publish_us,
            drain_ms: Spread::of(drain_us).map(Spread::us_to_ms),
            purge_ms: Spread::of(purge_us).map(Spread::us_to_ms),
            images_mapped: runtime.images_mapped(),
            p50_us: compared(500),
            p99_us: compared(990),
        }
    }

    /// Whether no request was lost, and every old version was unloaded.
    pub fn is_success(&self) -> bool {
        self.lost == 0 && self.images_mapped == 1
    }
}

// === impl Spread ===

impl Spread {
    /// Summarizes values in whole units. `None` if there are no values.
    pub(crate) fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let max = *values.last()?;
        // The lower of two in the middle, because it was measured; their mean was not. f64 is exact up to
        // 2^53.
        Some(Spread { median: values[(values.len() - 1) / 2] as f64, max: max as f64 })
    }

    fn us_to_ms(self) -> Self {
        Spread { median: self.median / 1e3, max: self.max / 1e3 }
    }
}

// === impl Comparison ===

impl Comparison {
    fn of(quiet: &Latencies, during: &Latencies, permille: u32) -> Self {
        Comparison { quiet: quiet.permille_us(permille), during: during.permille_us(permille) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            requests: Requests {
                total: 184_233,
                by_version: BTreeMap::from([("1.0.0".to_owned(), 100_000), ("1.1.0".to_owned(), 84_233)]),
            },
            lost: 0,
            losses: BTreeMap::new(),
            loss_examples: Vec::new(),
            releases: 6,
            dropped_in: 2,
            loaded: 3,
            rolled_back: 1,
            publish_us: Some(Spread { median: 3.0, max: 12.0 }),
            drain_ms: Some(Spread { median: 812.25, max: 1003.5 }),
            purge_ms: Some(Spread { median: 0.75, max: 2.0 }),
            images_mapped: 1,
            p50_us: Comparison { quiet: Some(310), during: Some(312) },
            p99_us: Comparison { quiet: Some(1200), during: None },
        }
    }

    #[test]
    fn the_json_has_the_promised_fields() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["requests"]["total"], 184_233);
        assert_eq!(json["requests"]["by_version"]["1.1.0"], 84_233);
        assert_eq!(
            (&json["lost"], &json["releases"], &json["images_mapped"]),
            (&0.into(), &6.into(), &1.into())
        );
        assert_eq!(json["publish_us"], serde_json::json!({"median": 3.0, "max": 12.0}));
        assert_eq!(json["drain_ms"], serde_json::json!({"median": 812.25, "max": 1003.5}));
        assert_eq!(json["p50_us"], serde_json::json!({"quiet": 310, "during": 312}));
        assert_eq!(json["p99_us"], serde_json::json!({"quiet": 1200, "during": null}));
    }

    #[test]
    fn a_lost_request_or_an_extra_image_is_a_failure() {
        assert!(report().is_success());
        assert!(!Report { lost: 1, ..report() }.is_success());
        assert!(!Report { images_mapped: 2, ..report() }.is_success());
    }

    #[test]
    fn a_median_is_a_measured_value() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![5, 1, 9, 3]), Some(Spread { median: 3.0, max: 9.0 }));
    }
}
