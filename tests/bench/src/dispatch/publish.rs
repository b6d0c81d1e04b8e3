//! A storm of publishes, and how it delays callers.

use std::{
    hint::{self, black_box},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_core::{Cell, Fences, Role, VacateOutcome};

use super::{
    plan::Plan,
    start::StartLine,
    ways::{Version, call_in, cell},
};
use crate::{Error, Figure, Progress, histogram::Histogram, median::median};

/// The time between two publishes of a storm: 10,000 per second.
const PERIOD: Duration = Duration::from_micros(100);
/// Calls between two readings of the clock. A reading takes about 25 ns, a call 2 ns.
const BATCH: u64 = 64;
/// Calls before a caller reads the clock for the first time.
const WARM_UP: u64 = 1_000;
/// More callers would add nothing, and each needs a processor.
const MOST_CALLERS: usize = 2;

/// The percentiles: in thousandths, with the suffix of their figure and the name of the reference.
const PERCENTILES: [(u64, &str, &str); 4] = [
    (500, "p50", "publish.quiet.p50"),
    (990, "p99", "publish.quiet.p99"),
    (999, "p99_9", "publish.quiet.p99_9"),
    (1000, "max", "publish.quiet.max"),
];

/// What the publisher does in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Nothing.
    Quiet,
    /// Publishes.
    Storm,
    /// Executes only the barrier of each publish, to time it.
    Barriers,
}

/// The results of each round.
#[derive(Debug, Default)]
struct Rounds {
    /// By percentile.
    quiet: [Vec<f64>; PERCENTILES.len()],
    storm: [Vec<f64>; PERCENTILES.len()],
    publish_ns: Vec<f64>,
    barrier_ns: Vec<f64>,
    publishes_per_second: Vec<f64>,
}

/// Measures the callers of a cell, in each round with a storm and without.
pub(super) fn measure(plan: &Plan, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let callers = processors.saturating_sub(1).clamp(1, MOST_CALLERS);
    let cell = cell();
    let mut histograms = vec![Histogram::new(); callers];
    let clock_ns = clock_ns(&cell, plan.phase);
    let mut publisher = Publisher { cell: &cell, next: Arc::new(Version::new()), took_ns: Vec::new() };
    let mut rounds = Rounds::default();
    for round in 0..plan.rounds {
        let order = if round % 2 == 0 {
            [Activity::Quiet, Activity::Storm]
        } else {
            [Activity::Storm, Activity::Quiet]
        };
        for activity in order {
            run_phase(&mut publisher, &mut histograms, plan.phase, activity)?;
            rounds.add(activity, &histograms, clock_ns);
        }
        let took_ns = mem::take(&mut publisher.took_ns);
        run_phase(&mut publisher, &mut histograms, plan.phase, Activity::Barriers)?;
        rounds.barrier_ns.push(median(mem::take(&mut publisher.took_ns)));
        rounds.publishes_per_second.push(took_ns.len() as f64 / plan.phase.as_secs_f64());
        rounds.publish_ns.push(median(took_ns));
        progress.step();
    }
    Ok(rounds.figures(callers))
}

/// Runs one phase: callers call, and this thread does what `activity` says.
fn run_phase(
    publisher: &mut Publisher<'_>,
    histograms: &mut [Histogram],
    phase: Duration,
    activity: Activity,
) -> Result<(), Error> {
    let cell = publisher.cell;
    let start = StartLine::for_threads(histograms.len() + 1);
    let start = &start;
    thread::scope(|scope| {
        for histogram in histograms {
            let call = move || {
                for input in 0..WARM_UP {
                    black_box(call_in(cell, black_box(input)));
                }
                histogram.clear();
                start.wait();
                call_for(phase, cell, BATCH, histogram);
            };
            let caller = thread::Builder::new().name("caller".to_owned());
            if let Err(source) = caller.spawn_scoped(scope, call) {
                start.cancel();
                return Err(Error::Spawn { source });
            }
        }
        start.wait();
        publisher.run_for(phase, activity)
    })
}

/// Calls in batches and records how long each took, from the end of the previous batch, so no delay is
/// missed.
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
        // 64 bits of nanoseconds are 584 years.
        histogram.record((ended - begun).as_nanos() as u64);
        if ended >= until {
            return;
        }
        begun = ended;
    }
}

/// Returns how long an empty batch takes: the clock and the recording.
fn clock_ns(cell: &Cell<Version>, phase: Duration) -> u64 {
    let mut histogram = Histogram::new();
    call_for(phase, cell, 0, &mut histogram);
    histogram.permille(500).unwrap_or(0)
}

struct Publisher<'a> {
    cell: &'a Cell<Version>,
    /// The version that is not in the cell. Two versions alternate: a loader too has its version before it
    /// publishes.
    next: Arc<Version>,
    took_ns: Vec<f64>,
}

// === impl Publisher ===

impl Publisher<'_> {
    /// Runs for `phase`. The first action is due at once.
    fn run_for(&mut self, phase: Duration, activity: Activity) -> Result<(), Error> {
        let mut due = Instant::now();
        let until = due + phase;
        loop {
            let now = Instant::now();
            if now >= due {
                match activity {
                    Activity::Quiet => {}
                    Activity::Storm => self.publish()?,
                    Activity::Barriers => self.barrier(),
                }
                // After a preemption, skip the missed publishes instead of a burst.
                due = now.max(due + PERIOD);
            }
            if now >= until {
                return Ok(());
            }
            hint::spin_loop();
        }
    }

    /// Times the barrier that precedes each check whether the old version is empty.
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
                // A caller is inside, and may need this processor to leave.
                VacateOutcome::Busy { .. } => thread::yield_now(),
            }
        }
    }
}

// === impl Rounds ===

impl Rounds {
    fn add(&mut self, activity: Activity, histograms: &[Histogram], clock_ns: u64) {
        let mut all = Histogram::new();
        for histogram in histograms {
            all.add(histogram);
        }
        let columns = match activity {
            Activity::Quiet => &mut self.quiet,
            Activity::Storm => &mut self.storm,
            Activity::Barriers => return,
        };
        for (column, (permille, _, _)) in columns.iter_mut().zip(PERCENTILES) {
            let ns = all.permille(permille).expect("each caller has recorded at least one batch");
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
