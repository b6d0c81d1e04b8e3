//! The unload of an old version: it is drained, its thread-locals are destroyed, its value is dropped, its
//! threads end, and it is unmapped. The link map proves that it is gone.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_loader::{Mapped, Obstacle, UnmapFailure, Unmapped};

use crate::{
    api::{Error, Phase, Pin, PinKind},
    clock::micros,
    inspect::{kept, obstacle_pins},
    module::{
        Module,
        state::{Drained, Keep, PublishLock},
        version::{Version, VersionInfo},
    },
    purge::{
        detach::{self, vacate_cell},
        idle,
    },
    shared::Shared,
};

/// How often to check whether the obstacle to unmapping a version is gone.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often to check whether a version has become unshared. Another thread holds it only for moments.
const UNSHARED_POLL_INTERVAL: Duration = Duration::from_micros(200);

/// Unloads the old version of this generation, or returns if it becomes current again. Must run on a task's
/// thread.
pub(crate) fn run(shared: &Arc<Shared>, module: &Arc<Module>, generation: u64) {
    let Some(drain) = wait_until_drained(shared, module, generation) else { return };
    let purge_started = Instant::now();
    tracing::debug!(module = %module.name, generation, "drained");
    let reached = |phase| shared.observer.reached(&module.name, generation, phase);
    reached(Phase::Drained);
    detach::run(shared, module, generation);
    reached(Phase::Detached);
    let Some(version) = vacate_cell(module, generation) else { return };
    reached(Phase::Vacated);
    let info = version.info.clone();
    let version = wait_until_unshared(module, &info, purge_started, version);
    // Before `Drop` runs: it may wait for one of these threads, and never return.
    let mut pins = obstacle_pins::of_threads(&version.image);
    pins.push(Pin {
        kind: PinKind::Handle,
        detail: "the module's Drop, which is running".to_owned(),
        waits_for: "it to return".to_owned(),
    });
    note_pins(module, &info, pins);
    let (mapped, dropped) = version.image.unload();
    if let Err(fault) = dropped {
        tracing::error!(
            module = %module.name, version = info.id.version, generation, "the module's Drop {fault}"
        );
    }
    // Destroys what `Drop` and `on_load` left on this thread. Before the wait for threads, because a
    // destructor may start one.
    mapped.detach_thread();
    idle::wait_for_threads(shared, module, &info, &mapped);
    reached(Phase::Ended);
    finish_unload(shared, module, &info, mapped.unmap(), drain, purge_started);
}

/// The last part of every unload. Must run on a task's thread. Retries until the version is unmapped. Gives
/// up if the obstacle is permanent, or if the runtime shuts down and only a signal handler or the dynamic
/// linker keeps the version.
pub(crate) fn finish_unload(
    shared: &Shared,
    module: &Module,
    info: &Arc<VersionInfo>,
    mut result: Result<Unmapped, UnmapFailure>,
    drain: Duration,
    purge_started: Instant,
) {
    loop {
        let failure = match result {
            Ok(unmapped) => {
                let purge = unmapped.at.saturating_duration_since(purge_started);
                return record_unmapped(shared, module, info, unmapped, drain, purge);
            }
            Err(failure) => failure,
        };
        // It must not stay old: the obstacle may never go away.
        let is_new = module.quarantine(info, obstacle_pins::of_failure(&failure));
        if is_new {
            kept::warn_if_nearly_full(shared, module);
        }
        if let Some(untracked) = kept_for_library(&failure).and_then(Mapped::untracked_threads) {
            // Set once: a later value would be the same.
            let _ = info.untracked_threads.set(untracked);
        }
        // The image is dropped, so it stays mapped. Nothing can change that any more.
        if is_permanent(&failure) || shared.is_shutting_down() && !has_thread(&failure) {
            return;
        }
        thread::sleep(POLL_INTERVAL);
        result = match failure {
            UnmapFailure::Obstructed(mapped, _) => {
                idle::end_threads(shared, info, &mapped, purge_started);
                mapped.unmap()
            }
            UnmapFailure::Retained(retained) => retained.sweep().map_err(UnmapFailure::Retained),
        };
    }
}

fn record_unmapped(
    shared: &Shared,
    module: &Module,
    info: &VersionInfo,
    unmapped: Unmapped,
    drain: Duration,
    purge: Duration,
) {
    let Unmapped { destructors_dropped, leaked_bytes, left_open, .. } = &unmapped;
    tracing::info!(
        module = %module.name, version = info.id.version, generation = info.id.generation,
        purge_us = micros(purge), leaked_bytes, destructors_dropped,
        left_open = (!left_open.is_empty()).then(|| tracing::field::display(left_open)), "purged"
    );
    shared.observer.reached(&module.name, info.id.generation, Phase::Unmapped);
    module.record_purged(info, drain, purge, unmapped);
}

/// Starts to unload the current version without a successor, because the runtime shuts down. It returns at
/// once. The unload does not delay other modules.
pub(crate) fn withdraw(shared: &Arc<Shared>, module: &Arc<Module>) -> Result<(), Error> {
    let (shared_of_task, module) = (shared.clone(), module.clone());
    shared.tasks.spawn(format!("purge {}", module.name), move || {
        // A running load either sees that the runtime shuts down, or has finished when this gets the lock.
        let _lock = module.load_lock.lock();
        drop(module.wait_for(None, |state| state.old().is_none()));
        if let Some(generation) = withdraw_current(&module, &shared_of_task.publish_lock) {
            run(&shared_of_task, &module, generation);
        }
    })
}

/// Waits until no call is inside an old or quarantined version, and it is not kept for a rollback. From then
/// on a rollback cannot make it current. Returns how long the drain took; `None` if the version is current
/// again.
fn wait_until_drained(shared: &Shared, module: &Module, generation: u64) -> Option<Duration> {
    let started = Instant::now();
    loop {
        let seen = module.wake_counter().count();
        {
            let mut state = module.state();
            let place = state.place(generation)?;
            // Watch before counting. A thread that leaves between the two increments the wake counter, which
            // was read before both, so the wait below returns at once.
            module.cell.watch(place);
            let count = module.cell.count(place)?;
            if count.inside == 0 {
                let keep = if shared.is_shutting_down() { Keep::Never } else { Keep::ForRollback };
                match state.drained(generation, count.calls, keep) {
                    // The end of the trial increments the wake counter.
                    Some(Drained::Warm) => {}
                    Some(Drained::Unloading(drain)) => return Some(drain),
                    // It is quarantined.
                    None => return Some(started.elapsed()),
                }
            }
        }
        module.wake_counter().wait_past(seen);
    }
}

/// Waits until nothing else holds the version. A cleanup task or a thread that ends holds it for moments.
fn wait_until_unshared(
    module: &Module,
    info: &VersionInfo,
    purge_started: Instant,
    mut version: Arc<Version>,
) -> Version {
    loop {
        version = match Arc::try_unwrap(version) {
            Ok(version) => return version,
            Err(still_shared) => still_shared,
        };
        if purge_started.elapsed() > POLL_INTERVAL {
            let holders = Arc::strong_count(&version) - 1;
            let detail = format!("{holders} threads of the host that are destroying its thread-locals");
            let waits_for = "them to finish".to_owned();
            note_pins(module, info, vec![Pin { kind: PinKind::Tls, detail, waits_for }]);
        }
        thread::sleep(UNSHARED_POLL_INTERVAL);
    }
}

fn has_thread(failure: &UnmapFailure) -> bool {
    let is_thread = |obstacle: &Obstacle| {
        matches!(obstacle, Obstacle::Thread(_) | Obstacle::NewThread | Obstacle::UntrackedThread(_))
    };
    matches!(failure, UnmapFailure::Obstructed(_, obstacles) if obstacles.iter().any(is_thread))
}

/// Whether no obstacle can go away before the process ends.
fn is_permanent(failure: &UnmapFailure) -> bool {
    !has_thread(failure) && kept_for_library(failure).is_some()
}

/// The image, if a library outside it keeps it in memory.
fn kept_for_library(failure: &UnmapFailure) -> Option<&Mapped> {
    let is_library = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Libraries(_));
    match failure {
        UnmapFailure::Obstructed(mapped, obstacles) => obstacles.iter().any(is_library).then_some(mapped),
        UnmapFailure::Retained(_) => None,
    }
}

/// Notes what keeps a version that is being unloaded.
fn note_pins(module: &Module, info: &VersionInfo, pins: Vec<Pin>) {
    module.state().note_pins(info.id.generation, pins);
}

fn withdraw_current(module: &Module, publish_lock: &PublishLock) -> Option<u64> {
    let mut state = module.state();
    let generation = state.current()?.id.generation;
    state.withdraw(&module.cell, publish_lock, |withdraw| withdraw())?;
    drop(state);
    module.notify_waiters();
    Some(generation)
}
