//! The way of an old version out: drained, its threads ended, its thread-locals destroyed, unmapped, proven gone.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use segue_loader::{Mapped, Obstacle, UnmapFailure, Unmapped};

use crate::{
    api::{Error, Phase, Pin, PinKind},
    clock::micros,
    inspect::{
        kept,
        pins::{kept_pins, thread_pins},
    },
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

/// How often is looked whether what keeps a version has gone.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes the old version of this generation out, or stops when it is current again. Runs on a journey's thread.
pub(crate) fn run(shared: &Arc<Shared>, module: &Arc<Module>, generation: u64) {
    let Some(drain) = wait_until_empty(shared, module, generation) else { return };
    let begun = Instant::now();
    tracing::debug!(module = %module.name, generation, "drained");
    let reached = |phase| shared.observer.reached(&module.name, generation, phase);
    reached(Phase::Drained);
    detach::run(shared, module, generation);
    reached(Phase::Detached);
    let Some(version) = vacate_cell(module, generation) else { return };
    reached(Phase::Vacated);
    let info = version.info.clone();
    let version = only_owner(module, &info, begun, version);
    // Noted before, since it may wait for one of those threads, and for ever.
    let mut pins = thread_pins(&version.image);
    pins.push(Pin {
        kind: PinKind::Handle,
        detail: "the module's Drop, which runs".to_owned(),
        waits_for: "it to return".to_owned(),
    });
    pin(module, &info, pins);
    let (mapped, ended) = version.image.unload();
    if let Err(fault) = ended {
        tracing::error!(
            module = %module.name, version = info.id.version, generation, "the module's Drop {fault}"
        );
    }
    // What `Drop` and the module's start have left on this thread. Before the threads: a destructor may start one.
    mapped.detach_thread();
    idle::wait_for_threads(shared, module, &info, &mapped);
    reached(Phase::Ended);
    finish_unload(shared, module, &info, mapped.unmap(), drain, begun);
}

/// The last part of every version's way out, on a journey's thread: it goes on until the version has left memory, or the
/// runtime ends and only a signal or the dynamic linker keeps it.
pub(crate) fn finish_unload(
    shared: &Shared,
    module: &Module,
    info: &Arc<VersionInfo>,
    mut left: Result<Unmapped, UnmapFailure>,
    drain: Duration,
    begun: Instant,
) {
    loop {
        let kept = match left {
            Ok(unmapped) => {
                let purge = unmapped.at.saturating_duration_since(begun);
                return record_gone(shared, module, info, unmapped, drain, purge);
            }
            Err(kept) => kept,
        };
        // It does not keep the place of old: what keeps it may do so for ever.
        let is_new = module.quarantine(info, kept_pins(&kept));
        if is_new {
            kept::warn_of_last(shared, module);
        }
        if let Some(outside) = kept_for_library(&kept).and_then(Mapped::untracked_threads) {
            // Set once; a later one is the same.
            let _ = info.untracked_threads.set(outside);
        }
        // Dropped, it stays in memory, and nothing needs to look at it again.
        if is_for_good(&kept) || shared.is_shutting_down() && !has_thread(&kept) {
            return;
        }
        thread::sleep(LOOK_EVERY);
        left = match kept {
            UnmapFailure::Obstructed(mapped, _) => {
                idle::end_threads(shared, info, &mapped, begun);
                mapped.unmap()
            }
            UnmapFailure::Retained(retained) => retained.sweep().map_err(UnmapFailure::Retained),
        };
    }
}

fn record_gone(
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
        left_open = %left_open, "purged"
    );
    shared.observer.reached(&module.name, info.id.generation, Phase::Unmapped);
    module.record_purged(info, drain, purge, unmapped);
}

/// Begins to take the current version out without another in its place: for the end of the runtime. It goes on for as
/// long as it takes, and no module waits for another.
pub(crate) fn withdraw(shared: &Arc<Shared>, module: &Arc<Module>) -> Result<(), Error> {
    let (of_task, module) = (shared.clone(), module.clone());
    shared.tasks.spawn(format!("purge {}", module.name), move || {
        // The load that goes on, if any, sees that the runtime is closing, or is done when its turn is.
        let _lock = module.load_lock.lock();
        drop(module.wait_for(None, |state| state.old().is_none()));
        if let Some(generation) = withdraw_current(&module, &of_task.publish_lock) {
            run(&of_task, &module, generation);
        }
    })
}

/// Waits until nobody is inside a version that is old or in quarantine, and it is not kept for a rollback any more, and has it
/// leave: from then on it cannot be gone back to. How long that took; none where it is current again.
fn wait_until_empty(shared: &Shared, module: &Module, generation: u64) -> Option<Duration> {
    let begun = Instant::now();
    loop {
        let seen = module.wake_counter().count();
        {
            let mut state = module.state();
            let place = state.place(generation)?;
            // First the flag, then the look: whoever leaves in between rings the bell, whose count is older than both.
            module.cell.watch(place);
            let count = module.cell.count(place)?;
            if count.inside == 0 {
                let keep = if shared.is_shutting_down() { Keep::Never } else { Keep::ForRollback };
                match state.drained(generation, count.calls, keep) {
                    // Whoever ends the trial rings the bell.
                    Some(Drained::Warm) => {}
                    Some(Drained::Unloading(drain)) => return Some(drain),
                    // It is in quarantine.
                    None => return Some(begun.elapsed()),
                }
            }
        }
        module.wake_counter().wait_past(seen);
    }
}

/// Waits until nobody else holds on to the version. Others do so for moments: an errand, a thread that ends.
fn only_owner(module: &Module, info: &VersionInfo, begun: Instant, mut version: Arc<Version>) -> Version {
    loop {
        version = match Arc::try_unwrap(version) {
            Ok(version) => return version,
            Err(shared) => shared,
        };
        if begun.elapsed() > LOOK_EVERY {
            let holders = Arc::strong_count(&version) - 1;
            let detail = format!("{holders} threads of the host are about to destroy its thread-locals");
            let waits_for = "them to have done so".to_owned();
            pin(module, info, vec![Pin { kind: PinKind::Tls, detail, waits_for }]);
        }
        thread::sleep(Duration::from_micros(200));
    }
}

fn has_thread(kept: &UnmapFailure) -> bool {
    let is_thread = |obstacle: &Obstacle| {
        matches!(obstacle, Obstacle::Thread(_) | Obstacle::NewThread | Obstacle::UntrackedThread(_))
    };
    matches!(kept, UnmapFailure::Obstructed(_, obstacles) if obstacles.iter().any(is_thread))
}

/// Whether nothing can end what keeps it.
fn is_for_good(kept: &UnmapFailure) -> bool {
    !has_thread(kept) && kept_for_library(kept).is_some()
}

/// The image, if a library outside of it keeps it.
fn kept_for_library(kept: &UnmapFailure) -> Option<&Mapped> {
    let is_library = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Libraries(_));
    match kept {
        UnmapFailure::Obstructed(mapped, obstacles) => obstacles.iter().any(is_library).then_some(mapped),
        UnmapFailure::Retained(_) => None,
    }
}

/// Notes what keeps a version that is leaving.
fn pin(module: &Module, info: &VersionInfo, pins: Vec<Pin>) {
    module.state().note_pins(info.id.generation, pins);
}

fn withdraw_current(module: &Module, publish_lock: &PublishLock) -> Option<u64> {
    let mut state = module.state();
    let generation = state.current()?.id.generation;
    state.withdraw(&module.cell, publish_lock, |happen| happen())?;
    drop(state);
    module.notify_waiters();
    Some(generation)
}
