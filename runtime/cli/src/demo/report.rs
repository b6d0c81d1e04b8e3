//! What the demo tells in the end.

use std::{collections::BTreeMap, fmt};

use segue::{Event, Runtime};
use serde::Serialize;

use super::client::{Latencies, Outcome};
use crate::{
    ExitCode,
    text::{clean, count, micros},
};

/// What the clients noticed, and what the releases took. The field names of its JSON are a promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The requests that were answered, each with the one right answer.
    pub requests: Requests,
    /// The requests that were not. Anything but 0 is a failure of the demo.
    pub lost: u64,
    /// The requests that were lost, by the way they were.
    pub losses: BTreeMap<&'static str, u64>,
    /// The first losses in words.
    pub loss_examples: Vec<String>,
    /// How many times another version became current.
    pub releases: u64,
    /// Of these, by a file in the modules directory.
    pub dropped_in: u64,
    /// Of these, by the control socket.
    pub loaded: u64,
    /// Of these, back to the version before.
    pub rolled_back: u64,
    /// How long the store took that makes a version current, in microseconds. A drop-in does not tell.
    pub publish_us: Option<Spread>,
    /// From becoming old to the last call's end, in milliseconds.
    pub drain_ms: Option<Spread>,
    /// From the last call's end to being out of memory, in milliseconds.
    pub purge_ms: Option<Spread>,
    /// Images of modules in memory in the end, by the dynamic linker's own list. There is one module, so: 1.
    pub images_mapped: usize,
    /// The median latency, in microseconds.
    pub p50_us: Compared,
    /// The latency that 99 of 100 answers did not exceed, in microseconds.
    pub p99_us: Compared,
}

/// Requests that were answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// All.
    pub total: u64,
    /// By the version that answered.
    pub by_version: BTreeMap<String, u64>,
}

/// Some measured values, by their middle and their end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them did not exceed it.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// The same measure in two phases; null where nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// While nothing was released.
    pub quiet: Option<u32>,
    /// While versions were released.
    pub during: Option<u32>,
}

/// What the releases took; see [`Report`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Releasing {
    pub(super) dropped_in: u64,
    pub(super) loaded: u64,
    pub(super) rolled_back: u64,
    pub(super) publish_us: Option<Spread>,
}

// === impl Report ===

impl Report {
    pub(super) fn new(outcome: &Outcome, releasing: Releasing, runtime: &Runtime) -> Self {
        let (mut drain_us, mut purge_us) = (Vec::new(), Vec::new());
        for record in runtime.events().recent(0) {
            if let Event::Purged { drain_us: drain, purge_us: purge, .. } = record.event {
                drain_us.push(drain);
                purge_us.push(purge);
            }
        }
        let compared = |permille| Compared::of(&outcome.quiet, &outcome.during, permille);
        Report {
            requests: Requests { total: outcome.total(), by_version: outcome.by_version() },
            lost: outcome.lost(),
            losses: outcome.losses.iter().map(|(loss, count)| (loss.name(), *count)).collect(),
            loss_examples: outcome.examples.clone(),
            releases: releasing.dropped_in + releasing.loaded + releasing.rolled_back,
            dropped_in: releasing.dropped_in,
            loaded: releasing.loaded,
            rolled_back: releasing.rolled_back,
            publish_us: releasing.publish_us,
            drain_ms: Spread::of(drain_us).map(Spread::us_in_ms),
            purge_ms: Spread::of(purge_us).map(Spread::us_in_ms),
            images_mapped: runtime.images_mapped(),
            p50_us: compared(500),
            p99_us: compared(990),
        }
    }

    /// Done, or found what must not be: a request that was lost, or an old version that is still in memory.
    pub fn exit_code(&self) -> ExitCode {
        if self.lost == 0 && self.images_mapped == 1 { ExitCode::Done } else { ExitCode::Found }
    }
}

impl fmt::Display for Report {
    /// The table for a person; every line ends with a newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |title: &str, figure: &str, rest: &str| {
            writeln!(f, "{}", format!("{title:<20}{figure:>12}  {rest}").trim_end())
        };
        let versions: Vec<String> = self
            .requests
            .by_version
            .iter()
            .map(|(version, count)| format!("{} by {}", thousands(*count), clean(version)))
            .collect();
        let kinds: Vec<String> = self.losses.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let ways = format!(
            "{} dropped in, {} by the socket, {}",
            self.dropped_in,
            self.loaded,
            count(self.rolled_back, "rollback")
        );
        line("requests", &thousands(self.requests.total), &versions.join(", "))?;
        line("lost", &thousands(self.lost), &kinds.join(", "))?;
        line("releases", &self.releases.to_string(), &ways)?;
        let spread = |spread: &Option<Spread>, us: f64| match spread {
            // Whole microseconds are exact enough to be read, and none of these is negative.
            Some(Spread { median, max }) => (micros((median * us) as u64), micros((max * us) as u64)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        for (title, (median, max), what) in [
            ("publish", spread(&self.publish_us, 1.0), "until new calls enter the new version"),
            (
                "drain of old",
                spread(&self.drain_ms, 1e3),
                "until its last call had ended; a slow one was mostly inside",
            ),
            ("purge of old", spread(&self.purge_ms, 1e3), "until it was out of memory, from then"),
        ] {
            line(title, &median, &format!("median, at most {max}: {what}"))?;
        }
        line("images mapped now", &self.images_mapped.to_string(), "the current version")?;
        line("", "quiet", "during releases")?;
        for (title, Compared { quiet, during }) in [("p50", self.p50_us), ("p99", self.p99_us)] {
            let shown = |us: Option<u32>| us.map_or("-".to_owned(), |us| micros(us.into()));
            line(title, &shown(quiet), &shown(during))?;
        }
        for example in &self.loss_examples {
            writeln!(f, "lost: {}", clean(example))?;
        }
        Ok(())
    }
}

// === impl Spread ===

impl Spread {
    /// Of values in whole units. None of none.
    pub(super) fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let max = *values.last()?;
        // The lower one of two in the middle: a value that was measured. As f64 they are exact up to 2^53.
        Some(Spread { median: values[(values.len() - 1) / 2] as f64, max: max as f64 })
    }

    fn us_in_ms(self) -> Self {
        Spread { median: self.median / 1e3, max: self.max / 1e3 }
    }
}

// === impl Compared ===

impl Compared {
    fn of(quiet: &Latencies, during: &Latencies, permille: u32) -> Self {
        Compared { quiet: quiet.permille_us(permille), during: during.permille_us(permille) }
    }
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
            p50_us: Compared { quiet: Some(310), during: Some(312) },
            p99_us: Compared { quiet: Some(1200), during: None },
        }
    }

    #[test]
    fn the_table_has_every_figure() {
        let expected = "\
requests                 184,233  100,000 by 1.0.0, 84,233 by 1.1.0
lost                           0
releases                       6  2 dropped in, 3 by the socket, 1 rollback
publish                     3 µs  median, at most 12 µs: until new calls enter the new version
drain of old              812 ms  median, at most 1.0 s: until its last call had ended; a slow one was mostly inside
purge of old              750 µs  median, at most 2.0 ms: until it was out of memory, from then
images mapped now              1  the current version
                           quiet  during releases
p50                       310 µs  312 µs
p99                       1.2 ms  -
";
        assert_eq!(report().to_string(), expected);
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
    fn a_loss_or_an_image_too_many_is_found() {
        assert_eq!(report().exit_code(), ExitCode::Done);
        assert_eq!(Report { lost: 1, ..report() }.exit_code(), ExitCode::Found);
        assert_eq!(Report { images_mapped: 2, ..report() }.exit_code(), ExitCode::Found);
    }

    #[test]
    fn a_spread_is_of_measured_values() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![5, 1, 9, 3]), Some(Spread { median: 3.0, max: 9.0 }));
        assert_eq!(
            (thousands(0), thousands(999), thousands(1000)),
            ("0".into(), "999".into(), "1,000".into())
        );
    }
}
