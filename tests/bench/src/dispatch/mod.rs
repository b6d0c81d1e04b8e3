//! `segue-bench dispatch`: what a call into a module costs, and what a publish costs the callers.
//!
//! # The ways to call
//! `dispatch.<way>` is the time of one call in nanoseconds, with one thread and with two at once. All ways
//! run the same code inside: a multiplication behind a call that the compiler cannot inline. Only `bytes`
//! differs: its request has an empty response. So the figures differ by the way to get there. `ratio` is
//! relative to `dispatch.dyn` with the same number of threads.
//!
//! | way | steps |
//! | --- | --- |
//! | `bare` | a call through a function pointer: the floor |
//! | `dyn` | a call through `dyn Trait` whose owner cannot be replaced |
//! | `floor` | handwritten around the call of `dyn`: read current, count in, read current again; after the call, count out |
//! | `cell` | [`segue_core::Cell::enter`], the call of `dyn` on the occupant, and the guard's drop |
//! | `typed` | [`segue::InterfaceHandle::enter`] of a real module in a `.so`, one method call, and the guard's drop |
//! | `bytes` | [`segue::ModuleHandle::call`] of a real module in a `.so` with an empty response |
//! | `arc_swap_load` | `ArcSwap::load`, the call of `dyn`, and the guard's drop |
//! | `arc_swap_load_full` | the same with `load_full`, which counts a reference |
//! | `epoch_pin` | `crossbeam_epoch::pin`, a load of an `Atomic`, the call of `dyn`, and the unpin |
//! | `parking_lot_rwlock` | a read lock of `parking_lot`, held during the call of `dyn` |
//! | `std_rwlock_arc` | a clone of the `Arc` under a read lock of `std`, the call of `dyn`, and the drop of the clone |
//!
//! `floor` is a lower bound and cannot replace anything: it does not look up the version or the thread's
//! counters, wakes no waiter, and has one lane. No cell of this kind can do less than `floor` does beyond
//! `dyn`. So `floor` shows how close to `dyn` a cell can come on this processor.
//!
//! The figures are throughput: warm calls, back to back, to one target. A processor overlaps two calls where
//! it can, and caches and branch predictors stay warm. The first call after other work costs more in every
//! way. `epoch_pin` does not dereference the pointer that it loads, because this package forbids `unsafe`; so
//! its figure is slightly too good. Entering does not allocate; `runtime/core/tests/allocations.rs` checks
//! that.
//!
//! With two threads, the time runs from the first start to the last end, divided by the calls of one thread.
//! So two threads that share one processor show up as twice the time.
//!
//! `dispatch.scaling.<way>` is the throughput of two threads divided by that of one, from the figures above.
//! `ratio` is relative to `dispatch.scaling.bare`, which shares nothing. If that one is below 2, the machine
//! is the reason: processors that share a core, or other load.
//!
//! # A publish
//! These figures are at the level of the cell, as for a loader that already holds both versions. They exclude
//! the rest of a release (reading, mapping, `on_load`); `segue load --json` reports that in `took_us`.
//!
//! * `publish.time`: nanoseconds of [`segue_core::Reservation::publish`] while callers call, including the
//!   clock.
//! * `publish.barrier`: nanoseconds of the kernel's barrier alone, with the same callers. A publish does not
//!   execute it: the first check whether the old version is empty does, once per publish.
//! * `publish.rate`: the publishes per second that the storm achieved.
//! * `publish.callers.<percentile>`: what callers see during a storm of 10,000 publishes per second. Each
//!   publish reserves, publishes, and retries to vacate the old version until its callers have left. `ratio`
//!   is relative to `publish.quiet.<percentile>`, the same without publishes.
//!
//! A clock cannot time one call of two nanoseconds. So a batch of 64 calls is timed, with no gap between
//! batches, minus the cost of the clock. No call took longer than its batch, but a delay of one call counts
//! as a delay of 64. p99 is what one batch in a hundred sees, for any reason: a publish, an interrupt,
//! another process. Each percentile is taken per round, and the figure is the median over rounds. That
//! includes `max`: it is the typical worst batch of a round, not the worst of the run. The publisher spins
//! between publishes, also when it publishes nothing, so the two phases differ only by the publishes. The
//! callers leave one processor to it, and are two at most.
//!
//! # Where things are
//! `way` has the timed loop and `ways` its bodies; `served` has the module for `typed` and `bytes`, and
//! `step` its interface. `plan` says how much is measured, `rounds` interleaves the ways, `pair` runs the
//! second thread, `start` lets threads start together, and `publish` has the storm.

mod pair;
mod plan;
mod publish;
mod rounds;
mod served;
mod start;
mod step;
mod way;
mod ways;

use crate::{Error, Figure, Progress};
use rounds::{Measured, THREADS};
use served::Served;

pub(crate) use plan::Plan;

/// The progress steps of a round: the ways to call, and the storm.
pub(crate) const PARTS: u64 = 2;

/// Measures all figures of `dispatch`.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ratios_compare_equal_numbers_of_threads() {
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
