//! `segue-bench dispatch`: what a call into a module costs, and what a publish costs those who call.
//!
//! # The ways to call
//! `dispatch.<way>`, in nanoseconds a call, of one thread alone and of two at once. All ways do the same inside, a
//! multiplication behind a call that the compiler cannot see through, but for `bytes`, which asks a module for nothing. So what
//! differs is the way there. `ratio` is over `dispatch.dyn` at the same number of threads.
//!
//! | way | what is done |
//! | --- | --- |
//! | `bare` | a call through a function pointer: the floor |
//! | `dyn` | a call through `dyn Trait`, of an owner that can never be replaced |
//! | `floor` | by hand, around the call of `dyn`: a look at what is current, a counter of this thread, a second look, and after the call another counter |
//! | `cell` | [`segue_core::Cell::enter`], the call of `dyn` on the occupant, and out |
//! | `typed` | [`segue::InterfaceHandle::enter`] of a real module, in a `.so`, one call of a method that does the same, and out |
//! | `bytes` | [`segue::ModuleHandle::call`] of a real module, in a `.so`, that answers nothing |
//! | `arc_swap_load` | `ArcSwap::load`, the call of `dyn` on what it guards, and its release |
//! | `arc_swap_load_full` | the same with `load_full`, which counts a reference |
//! | `epoch_pin` | `crossbeam_epoch::pin`, a load of an `Atomic`, the call of `dyn`, and the unpinning |
//! | `parking_lot_rwlock` | a read lock of `parking_lot` that is held during the call of `dyn` |
//! | `std_rwlock_arc` | a clone of the `Arc` under a read lock of `std`, the call of `dyn`, and the drop of the clone |
//!
//! `floor` is no way to call anything: it finds neither the version nor the thread's counters, it cannot be left by a thread
//! that somebody waits for, and has one lane. What it takes beyond `dyn` no cell of this kind can do without, so it says how
//! near to `dyn` one can come on this processor.
//!
//! They are calls back to back, warm, into one thing: throughput. A processor overlaps what it can of two calls, and no
//! cache line or branch has been forgotten in between; the first call after other work costs more, in each way. `epoch_pin`
//! does not go through the pointer that it loads, which takes `unsafe` that this package does without; so it is a little too
//! good. Entering costs no allocation; that is counted by `runtime/core/tests/allocations.rs`, not here.
//!
//! Of two threads, the time is that from the first one's beginning to the last one's end, over the calls of one. So two that
//! must share a processor, because others have the rest, take twice as long, and do not look as if they did not.
//!
//! `dispatch.scaling.<way>` is the throughput of two threads over that of one, from the figures above. `ratio` is over
//! `dispatch.scaling.bare`, which shares nothing: what it lacks to 2 is the machine's doing (processors that share a
//! core, or that others use too).
//!
//! # A publish
//! All at the level of the cell, as a loader that already holds both versions would do it. What else a release does (reading,
//! mapping, `on_load`) is not in here; `segue load --json` tells it in `took_us`.
//!
//! * `publish.time`: nanoseconds that [`segue_core::Reservation::publish`] takes while callers call, its clock included.
//! * `publish.barrier`: nanoseconds that the kernel's barrier takes by itself, on as many callers. A publish does without; it is
//!   executed once a publish, by the first who asks whether the old version is empty.
//! * `publish.rate`: how many publishes a second the storm was really made of.
//! * `publish.callers.<percentile>`: what callers felt during a storm of 10,000 publishes a second, each of them a
//!   reserve, a publish and as many tries to vacate the old version as it takes until its callers have left.
//!   `ratio` is over `publish.quiet.<percentile>`, the same without publishes.
//!
//! What is timed is 64 calls in a row, without a gap between one such batch and the next, less what the clock takes: a
//! clock cannot time one call of two nanoseconds. No call in a batch took longer than the batch, but a delay of one call is
//! told as that of 64. So p99 says what a hundredth of all batches felt, whatever it was: a publish, an interrupt, another
//! process. Each percentile is taken per round, and the median of the rounds is told; also of `max`, which therefore is
//! the usual worst of a round and not the worst that happened. The publisher spins between its publishes, also when it makes
//! none, so that the two differ by the publishes alone; there are as many callers as leave a processor to it, two at most.
//!
//! # Where things are
//! `way` has the loop that is timed, `ways` what is in it, `served` the module for `typed` and `bytes`, `step` its interface, `rounds` the interleaving, `pair`
//! the second thread, `start` how threads begin together, `publish` the storm.

mod pair;
mod publish;
mod rounds;
mod served;
mod start;
mod step;
mod way;
mod ways;

use std::time::Duration;

use crate::{Error, Figure, Progress};
use rounds::{Measured, THREADS};
use served::Served;

/// What each round is made of, as far as progress is shown: the ways to call, and the storm.
pub(crate) const PARTS: u64 = 2;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How many rounds the medians are of.
    pub(crate) rounds: u32,
    /// How long one way is called in a round: many thousand calls, and short beside what else happens on a machine.
    pub(crate) span: Duration,
    /// How long the callers of a round are watched, with a storm and without.
    pub(crate) phase: Duration,
}

/// Measures all of it.
pub(crate) fn run(plan: &Plan, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let served = Served::start()?;
    let ways = ways::all(served.step()?, served.module()?);
    progress.begin("ways to call");
    let measured = rounds::measure(&ways, plan, progress)?;
    drop(ways);
    if ways::has_failed() {
        return Err(Error::Call);
    }
    served.end()?;
    progress.begin("publishing");
    let mut figures = of_calls(&measured);
    figures.extend(publish::measure(plan, progress)?);
    Ok(figures)
}

fn of_calls(measured: &[Measured]) -> Vec<Figure> {
    let base = |name: &str| measured.iter().find(|way| way.name == name).expect("it is one of the ways");
    let (reference, floor) = (base("dyn"), base("bare"));
    let mut figures = Vec::new();
    for (column, threads) in THREADS.into_iter().enumerate() {
        figures.extend(measured.iter().map(|way| {
            Figure::alone(format!("dispatch.{}", way.name), way.ns[column], "ns", threads)
                .against("dispatch.dyn", reference.ns[column])
        }));
    }
    figures.extend(measured.iter().map(|way| {
        Figure::alone(format!("dispatch.scaling.{}", way.name), way.scaling(), "x", THREADS[1])
            .against("dispatch.scaling.bare", floor.scaling())
    }));
    figures
}

// === impl Plan ===

impl Default for Plan {
    fn default() -> Self {
        Plan { rounds: 101, span: Duration::from_millis(4), phase: Duration::from_millis(25) }
    }
}

impl Plan {
    /// Enough to see that it works.
    pub(crate) fn quick() -> Self {
        Plan { rounds: 11, span: Duration::from_millis(1), phase: Duration::from_millis(10) }
    }

    /// What stands under a table.
    pub(crate) fn words(&self) -> String {
        let fences = if segue_core::Fences::detect().is_asymmetric() {
            "callers execute no fence (membarrier)"
        } else {
            "callers execute fences (no membarrier here)"
        };
        format!(
            "medians of {} rounds of {} ms a way and {} ms a storm; {fences}",
            self.rounds,
            self.span.as_millis(),
            self.phase.as_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_over_the_same_number_of_threads() {
        let measured = [
            Measured { name: "bare", ns: [1.0, 1.25] },
            Measured { name: "dyn", ns: [2.0, 2.0] },
            Measured { name: "cell", ns: [3.0, 4.0] },
        ];
        let figures = of_calls(&measured);
        let of = |name: &str| -> Vec<(usize, f64, f64)> {
            let named = figures.iter().filter(|figure| figure.figure == name);
            named.map(|it| (it.threads, it.value, it.ratio.unwrap())).collect()
        };
        assert_eq!(of("dispatch.cell"), [(1, 3.0, 1.5), (2, 4.0, 2.0)]);
        assert_eq!(of("dispatch.scaling.bare"), [(2, 1.6, 1.0)]);
        assert_eq!(of("dispatch.scaling.cell"), [(2, 1.5, 0.938)]);
        assert_eq!(figures.len(), 9);
    }

    #[test]
    fn a_short_run_has_every_figure() {
        let plan = Plan { rounds: 1, span: Duration::from_micros(100), phase: Duration::from_millis(2) };
        let figures = run(&plan, &Progress::new(PARTS)).unwrap();
        let names: Vec<&str> = figures.iter().map(|figure| figure.figure.as_str()).collect();
        for name in [
            "dispatch.typed",
            "dispatch.bytes",
            "dispatch.scaling.cell",
            "publish.barrier",
            "publish.time",
            "publish.callers.p99_9",
        ] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(figures.iter().all(|figure| figure.value.is_finite()), "{figures:?}");
    }
}
