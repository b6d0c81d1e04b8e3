//! The rounds. Each calls every way once, with one thread and with two, and starts with another way.

use std::{thread, time::Duration};

use super::{pair::Pair, plan::Plan, way::Way};
use crate::{Error, Progress, median::median};

/// The numbers of threads that call at once.
pub(super) const THREADS: [usize; 2] = [1, 2];

/// The first number of calls for which the time is taken, to find how many fill a span.
const FIRST_GUESS: u64 = 1_000;

/// The time of one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) name: &'static str,
    /// Nanoseconds per call of one thread, for each number of [`THREADS`].
    pub(super) ns: [f64; THREADS.len()],
}

/// Calls all ways in all rounds.
pub(super) fn measure(
    ways: &[Box<dyn Way + '_>],
    plan: &Plan,
    progress: &Progress,
) -> Result<Vec<Measured>, Error> {
    thread::scope(|scope| {
        let pair = Pair::start(scope, ways).map_err(|source| Error::Spawn { source })?;
        let mut enough = Vec::new();
        for way in 0..ways.len() {
            enough.push([calls_in(plan.span, &pair, way, 1)?, calls_in(plan.span, &pair, way, 2)?]);
        }
        let mut ns = vec![[const { Vec::new() }; THREADS.len()]; ways.len()];
        for round in 0..plan.rounds as usize {
            for place in 0..ways.len() {
                // Both right after each other: a way is compared most with itself.
                let way = (place + round) % ways.len();
                for (column, threads) in THREADS.into_iter().enumerate() {
                    let calls = enough[way][column];
                    ns[way][column].push(nanoseconds(time(&pair, way, calls, threads)?) / calls as f64);
                }
            }
            progress.step();
        }
        let medians = ways.iter().zip(ns).map(|(way, ns)| Measured { name: way.name(), ns: ns.map(median) });
        Ok(medians.collect())
    })
}

/// Returns how many calls of a way take about `span`.
fn calls_in(span: Duration, pair: &Pair<'_>, way: usize, threads: usize) -> Result<u64, Error> {
    let mut calls = FIRST_GUESS;
    loop {
        let took = time(pair, way, calls, threads)?;
        if took * 4 >= span {
            // Below 2^53 and not negative.
            return Ok((calls as f64 * (nanoseconds(span) / nanoseconds(took))).ceil() as u64);
        }
        calls *= 2;
    }
}

fn time(pair: &Pair<'_>, way: usize, calls: u64, threads: usize) -> Result<Duration, Error> {
    if threads == 1 { Ok(pair.time_alone(way, calls)) } else { pair.time_both(way, calls) }
}

fn nanoseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e9
}

// === impl Measured ===

impl Measured {
    /// The throughput of two threads divided by that of one.
    pub(super) fn scaling(&self) -> f64 {
        let [alone, both] = self.ns;
        THREADS[1] as f64 * alone / both
    }
}
