//! A storm of publishes, and what callers feel of it.

use std::{
    hint::{self, black_box},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_core::{Cell, Fences, Role, VacateOutcome};

use super::{
    Plan,
    start::Start,
    ways::{Version, call_in, cell},
};
use crate::{Error, Figure, Progress, histogram::Histogram, median::median};

/// From one publish of a storm to the next: 10,000 a second.
const PERIOD: Duration = Duration::from_micros(100);
/// Calls between two looks at the clock. It takes 25 ns or so, a call two.
const BATCH: u64 = 64;
/// Calls before a caller looks at the clock at all.
const WARM_UP: u64 = 1_000;
/// More callers say no more, and there must be processors for them.
const MOST_CALLERS: usize = 2;

/// The percentiles that are told: in thousandths, by the end of their names.
const PERCENTILES: [(u64, &str, &str); 4] = [
    (500, "p50", "publish.quiet.p50"),
    (990, "p99", "publish.quiet.p99"),
    (999, "p99_9", "publish.quiet.p99_9"),
    (1000, "max", "publish.quiet.max"),
];

/// Whether anything is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Quiet,
    Storm,
    /// Not what callers feel of it is measured, but what the barrier takes alone that each publish leads to.
    Barriers,
}

/// What each round gave.
#[derive(Debug, Default)]
struct Rounds {
    /// By percentile.
    quiet: [Vec<f64>; PERCENTILES.len()],
    storm: [Vec<f64>; PERCENTILES.len()],
    publish_ns: Vec<f64>,
    barrier_ns: Vec<f64>,
    publishes_per_second: Vec<f64>,
}

/// Watches the callers of a cell for as many rounds as planned, with a storm and without.
pub(super) fn measure(plan: &Plan, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let callers = processors.saturating_sub(1).clamp(1, MOST_CALLERS);
    let cell = cell();
    let mut histograms = vec![Histogram::new(); callers];
    let clock_ns = clock_ns(&cell, plan.phase);
    let mut publisher = Publisher { cell: &cell, next: Arc::new(Version::new()), took_ns: Vec::new() };
    let mut rounds = Rounds::default();
    for round in 0..plan.rounds {
        let order =
            if round % 2 == 0 { [Weather::Quiet, Weather::Storm] } else { [Weather::Storm, Weather::Quiet] };
        for weather in order {
            watch(&mut publisher, &mut histograms, plan.phase, weather)?;
            rounds.add(weather, &histograms, clock_ns);
        }
        let took_ns = mem::take(&mut publisher.took_ns);
        watch(&mut publisher, &mut histograms, plan.phase, Weather::Barriers)?;
        rounds.barrier_ns.push(median(mem::take(&mut publisher.took_ns)));
        rounds.publishes_per_second.push(took_ns.len() as f64 / plan.phase.as_secs_f64());
        rounds.publish_ns.push(median(took_ns));
        progress.step();
    }
    Ok(rounds.figures(callers))
}

/// One phase: callers call, and this thread publishes or only lets time pass.
fn watch(
    publisher: &mut Publisher<'_>,
    histograms: &mut [Histogram],
    phase: Duration,
    weather: Weather,
) -> Result<(), Error> {
    let cell = publisher.cell;
    let start = Start::of(histograms.len() + 1);
    let start = &start;
    thread::scope(|scope| {
        for histogram in histograms {
            let call = move || {
                for input in 0..WARM_UP {
                    black_box(call_in(cell, black_box(input)));
                }
                histogram.clear();
                start.meet();
                call_for(phase, cell, BATCH, histogram);
            };
            let caller = thread::Builder::new().name("caller".to_owned());
            if let Err(source) = caller.spawn_scoped(scope, call) {
                start.give_up();
                return Err(Error::Spawn { source });
            }
        }
        start.meet();
        publisher.work_for(phase, weather)
    })
}

/// Calls in batches and records what each took: from the end of the one before to its own, so that no delay falls between.
#[inline(never)]
fn call_for(phase: Duration, cell: &Cell<Version>, batch: u64, histogram: &mut Histogram) {
    let mut begun = Instant::now();
    let until = begun + phase;
    loop {
        let mut sum = 0_u64;
        for input in 0..batch {
            sum = sum.wrapping_add(call_in(black_box(cell), black_box(input)));
        }
        black_box(sum);
        let ended = Instant::now();
        // A span that does not fit into 64 bits is not of this run.
        histogram.record((ended - begun).as_nanos() as u64);
        if ended >= until {
            return;
        }
        begun = ended;
    }
}

/// What a batch takes that has no calls: the clock, and the recording.
fn clock_ns(cell: &Cell<Version>, phase: Duration) -> u64 {
    let mut histogram = Histogram::new();
    call_for(phase, cell, 0, &mut histogram);
    histogram.permille(500).unwrap_or(0)
}

struct Publisher<'a> {
    cell: &'a Cell<Version>,
    /// The version that is not in the cell. Two take turns, since a loader too has made the version long before it publishes.
    next: Arc<Version>,
    took_ns: Vec<f64>,
}

// === impl Publisher ===

impl Publisher<'_> {
    /// Lets so much time pass, in a storm with publishes in it, of which the first is due at once.
    fn work_for(&mut self, phase: Duration, weather: Weather) -> Result<(), Error> {
        let mut due = Instant::now();
        let until = due + phase;
        loop {
            let now = Instant::now();
            if now >= due {
                match weather {
                    Weather::Quiet => {}
                    Weather::Storm => self.publish()?,
                    Weather::Barriers => self.barrier(),
                }
                // What was missed, because the processor was taken away, is not made up for by a burst.
                due = now.max(due + PERIOD);
            }
            if now >= until {
                return Ok(());
            }
            hint::spin_loop();
        }
    }

    /// What whoever waits for an old version to be empty waits for first, by itself.
    fn barrier(&mut self) {
        let fences = Fences::detect();
        let begun = Instant::now();
        fences.heavy();
        self.took_ns.push(begun.elapsed().as_secs_f64() * 1e9);
    }

    fn publish(&mut self) -> Result<(), Error> {
        let reservation = self.cell.reserve(Arc::clone(&self.next))?;
        let begun = Instant::now();
        let old = reservation.publish();
        self.took_ns.push(begun.elapsed().as_secs_f64() * 1e9);
        drop(old);
        loop {
            match self.cell.vacate(Role::Old) {
                VacateOutcome::Vacated(version) => {
                    self.next = version;
                    return Ok(());
                }
                VacateOutcome::Absent => return Ok(()),
                // A caller is inside, and may need our processor to come out.
                VacateOutcome::Busy { .. } => thread::yield_now(),
            }
        }
    }
}

// === impl Rounds ===

impl Rounds {
    fn add(&mut self, weather: Weather, histograms: &[Histogram], clock_ns: u64) {
        let mut all = Histogram::new();
        for histogram in histograms {
            all.add(histogram);
        }
        let columns = match weather {
            Weather::Quiet => &mut self.quiet,
            Weather::Storm => &mut self.storm,
            Weather::Barriers => return,
        };
        for (column, (permille, _, _)) in columns.iter_mut().zip(PERCENTILES) {
            let ns = all.permille(permille).expect("each caller has recorded a batch at least");
            column.push(ns.saturating_sub(clock_ns) as f64);
        }
    }

    fn figures(self, callers: usize) -> Vec<Figure> {
        let mut figures = vec![
            Figure::alone("publish.time", median(self.publish_ns), "ns", callers),
            Figure::alone("publish.barrier", median(self.barrier_ns), "ns", callers),
            Figure::alone("publish.rate", median(self.publishes_per_second), "per second", callers),
        ];
        for (((_, name, base), quiet), storm) in PERCENTILES.into_iter().zip(self.quiet).zip(self.storm) {
            let quiet = median(quiet);
            figures.push(Figure::alone(base, quiet, "ns/64 calls", callers));
            let storm =
                Figure::alone(format!("publish.callers.{name}"), median(storm), "ns/64 calls", callers);
            figures.push(storm.against(base, quiet));
        }
        figures
    }
}
