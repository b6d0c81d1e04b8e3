//! Unmaps a version that never became current.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{RecvTimeoutError, bounded};
use segue_loader::{Image, Mapped, UnmapFailure};

use crate::{
    api::{Pin, PinKind},
    inspect::obstacle_pins,
    load::ready::ReadyVersion,
    module::{
        Module,
        version::{Version, VersionInfo},
    },
    purge::{idle, retire},
    shared::Shared,
};

/// How long the caller of a failed load waits for the version's `Drop`, and for its threads. After that the
/// version is quarantined until they have ended.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// How often to check whether a version has become unshared. Another thread holds it only for moments.
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// Stops and unmaps a version that has started. Its `Drop` runs on a thread of its own. If it does not return
/// in time, the version is quarantined, and nothing waits for that thread.
pub(super) fn stop_and_unmap(
    shared: &Arc<Shared>,
    ReadyVersion { module, mut version, starting, .. }: ReadyVersion,
) {
    drop(starting);
    let version = loop {
        match Arc::try_unwrap(version) {
            Ok(version) => break version,
            // Another thread is creating an interface handle on it.
            Err(still_shared) => version = still_shared,
        }
        thread::sleep(POLL_INTERVAL);
    };
    let Version { image, info } = version;
    let (sender, receiver) = bounded(0);
    let task = {
        let (shared, module, info) = (shared.clone(), module.clone(), info.clone());
        move |image: Image| {
            // The loader has logged a panic of `Drop`.
            let (mapped, _) = image.unload();
            mapped.detach_thread();
            if let Err(too_late) = sender.send(mapped) {
                unmap_late(&shared, &module, &info, too_late.into_inner());
            }
        }
    };
    let spawned = shared.tasks.spawn_with(format!("drop {}", module.name), image, task);
    if let Err((_, image)) = spawned {
        return unmap(shared, &module, &info, image.unload().0);
    }
    match receiver.recv_timeout(DISCARD_TIMEOUT) {
        Ok(mapped) => unmap(shared, &module, &info, mapped),
        // The thread panicked, and the panic was printed.
        Err(RecvTimeoutError::Disconnected) => {}
        Err(RecvTimeoutError::Timeout) => {
            module.quarantine(&info, vec![hanging_pin("Drop")]);
        }
    }
}

/// Unmaps a version on which nothing runs. If it cannot be unmapped, it is quarantined, and a task keeps
/// trying.
pub(super) fn unmap(shared: &Arc<Shared>, module: &Arc<Module>, info: &Arc<VersionInfo>, mapped: Mapped) {
    mapped.detach_thread();
    // `unmap` checks the threads again, so the result is not needed.
    let _ = mapped.wait_for_threads(Instant::now() + DISCARD_TIMEOUT);
    if let Err(failure) = mapped.unmap() {
        quarantine_and_retry(shared, module, info, failure);
    }
}

/// Unmaps a version that was quarantined because its `on_load` or `Drop` did not return, and now has
/// returned.
pub(super) fn unmap_late(shared: &Shared, module: &Arc<Module>, info: &Arc<VersionInfo>, mapped: Mapped) {
    let purge_started = Instant::now();
    mapped.detach_thread();
    idle::wait_for_threads(shared, module, info, &mapped);
    retire::finish_unload(shared, module, info, mapped.unmap(), Duration::ZERO, purge_started);
}

/// Quarantines a version that cannot be unmapped, and starts a task that keeps trying.
pub(super) fn quarantine_and_retry(
    shared: &Arc<Shared>,
    module: &Arc<Module>,
    info: &Arc<VersionInfo>,
    failure: UnmapFailure,
) {
    let purge_started = Instant::now();
    module.quarantine(info, obstacle_pins::of_failure(&failure));
    let task = {
        let (shared, module, info) = (shared.clone(), module.clone(), info.clone());
        move || {
            retire::finish_unload(&shared, &module, &info, Err(failure), Duration::ZERO, purge_started);
        }
    };
    if let Err(error) = shared.tasks.spawn(format!("purge {}", module.name), task) {
        // The image was dropped with the task, so it stays mapped. The quarantine lists it.
        tracing::error!(
            module = %module.name,
            "a version that failed to load stays in memory until the process ends: {error}"
        );
    }
}

/// The pin of a version whose function does not return.
pub(super) fn hanging_pin(function: &str) -> Pin {
    Pin {
        kind: PinKind::Handle,
        detail: format!("{function}, which has not returned"),
        waits_for: "it to return (it was asked to end: `is_cancelled` returns true)".to_owned(),
    }
}
