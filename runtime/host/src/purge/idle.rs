//! Waits for the threads of a version that is being unloaded, and ends those that only wait.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use segue_loader::Mapped;

use crate::{
    inspect::obstacle_pins,
    module::{Module, version::VersionInfo},
    shared::Shared,
};

/// How often to refresh the noted pins while no thread is ending.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The pause after the first wake of ending threads. Most of them end within it.
const FIRST_WAKE_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause between two wakes. A thread that does not end costs one wake per second.
const MAX_WAKE_PAUSE: Duration = Duration::from_secs(1);

/// The idle timeout while the runtime shuts down.
const SHUTDOWN_IDLE_TIMEOUT: Duration = Duration::from_millis(200);

/// Waits until all threads that the module started have ended. After the idle timeout, ends threads that do
/// nothing but wait.
pub(crate) fn wait_for_threads(shared: &Shared, module: &Module, info: &VersionInfo, mapped: &Mapped) {
    let started = Instant::now();
    wait_and_wake(
        |pause| {
            module.state().note_pins(info.id.generation, obstacle_pins::of_threads(mapped));
            mapped.wait_for_threads(Instant::now() + pause)
        },
        || end_threads(shared, info, mapped, started),
        || POLL_INTERVAL.min(idle_timeout(shared)).max(FIRST_WAKE_PAUSE),
    );
}

/// Ends the threads of a version if its value was dropped at least the idle timeout ago and all threads only
/// wait. Returns whether threads are ending. Then call it again after a pause: it wakes those that have not
/// ended.
pub(crate) fn end_threads(shared: &Shared, info: &VersionInfo, mapped: &Mapped, dropped_at: Instant) -> bool {
    if dropped_at.elapsed() < idle_timeout(shared) {
        return false;
    }
    let names: Vec<String> = mapped.threads().into_iter().map(|thread| thread.name).collect();
    let count = mapped.end_idle_threads();
    // Later calls only wake the same threads.
    if count > 0 && info.threads_ended.fetch_max(count, Ordering::Relaxed) == 0 {
        tracing::warn!(
            module = %info.module, version = info.id.version, generation = info.id.generation,
            threads = names.join(", "),
            "ended {count} idle threads that the module left running; end threads in the `Drop` of the module's value"
        );
    }
    count > 0
}

/// Waits until `wait` returns true. After each wait that times out, `wake` wakes threads that are ending, and
/// returns whether there are any. The pause doubles with each wake. `poll_interval` is the pause while no
/// thread is ending.
fn wait_and_wake(
    wait: impl Fn(Duration) -> bool,
    wake: impl Fn() -> bool,
    poll_interval: impl Fn() -> Duration,
) {
    let mut pause = FIRST_WAKE_PAUSE;
    let mut next_wake_pause = FIRST_WAKE_PAUSE;
    while !wait(pause) {
        if wake() {
            pause = next_wake_pause;
            next_wake_pause = (2 * pause).min(MAX_WAKE_PAUSE);
        } else {
            pause = poll_interval();
            next_wake_pause = FIRST_WAKE_PAUSE;
        }
    }
}

fn idle_timeout(shared: &Shared) -> Duration {
    if shared.is_shutting_down() {
        shared.limits.idle_thread_timeout.min(SHUTDOWN_IDLE_TIMEOUT)
    } else {
        shared.limits.idle_thread_timeout
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// When each wake happens until `end`, on a clock that only the pauses advance. `is_ending` says whether
    /// the threads are ending at a time.
    fn wakes_until(end: Duration, is_ending: impl Fn(Duration) -> bool) -> Vec<Duration> {
        let (clock, wakes) = (Cell::new(Duration::ZERO), RefCell::new(Vec::new()));
        let wait = |pause| {
            clock.set(clock.get() + pause);
            clock.get() >= end
        };
        let wake = || {
            let is_ending = is_ending(clock.get());
            if is_ending {
                wakes.borrow_mut().push(clock.get());
            }
            is_ending
        };
        wait_and_wake(wait, wake, || POLL_INTERVAL);
        wakes.into_inner()
    }

    #[test]
    fn a_thread_that_never_ends_is_woken_once_per_second() {
        let minute = Duration::from_secs(60);
        let wakes = wakes_until(minute, |_| true);
        assert!((60..=70).contains(&wakes.len()), "{} wakes", wakes.len());
        let pauses: Vec<Duration> = wakes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.iter().all(|pause| *pause <= MAX_WAKE_PAUSE), "{pauses:?}");
    }

    #[test]
    fn the_first_wakes_are_quick() {
        let wakes = wakes_until(Duration::from_millis(100), |_| true);
        assert_eq!(wakes, [5, 10, 20, 40, 80].map(Duration::from_millis));
    }

    #[test]
    fn the_back_off_starts_again_for_other_threads() {
        let (pause_start, pause_end) = (Duration::from_secs(10), Duration::from_secs(20));
        let wakes = wakes_until(Duration::from_secs(30), |now| !(pause_start..pause_end).contains(&now));
        let later: Vec<Duration> = wakes.into_iter().filter(|at| *at >= pause_end).collect();
        assert_eq!(later[1] - later[0], FIRST_WAKE_PAUSE);
        assert_eq!(later[2] - later[1], 2 * FIRST_WAKE_PAUSE);
    }
}
