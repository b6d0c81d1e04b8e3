//! The commands `soft_purge` and `purge`. An old version is unloaded without them as soon as no call is
//! inside. They end its use for a rollback, wait, and report.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use segue_core::Role;
use segue_loader::LeftOpen;

use crate::{
    api::{Actor, Purged},
    clock::micros,
    inspect::pins,
    module::{Module, state::ModuleState, versions::DrainState},
    shared::Shared,
};

/// How long a soft purge waits for an old version with no call inside to be unloaded.
const SOFT_TIMEOUT: Duration = Duration::from_secs(10);

/// Purges the old version if no call is inside; see [`Runtime::soft_purge`](crate::Runtime::soft_purge).
pub(crate) fn soft(shared: &Shared, module: &Module) -> Purged {
    let started = Instant::now();
    // With a call inside, the answer is final. Otherwise the version is being unloaded.
    let is_draining = |state: &ModuleState| {
        state.old().is_some_and(|old| {
            matches!(old.drain_state, DrainState::Draining) && module.inside(Role::Old) > 0
        })
    };
    let Some(generation) = old_generation(module) else { return nothing_to_purge(module) };
    if module.inside(Role::Old) == 0 {
        // It is no longer kept for a rollback.
        module.state().release_old();
        module.notify_waiters();
    }
    wait_until_purged(shared, module, generation, started, SOFT_TIMEOUT, is_draining)
}

/// Purges the old version, if there is one; see [`Runtime::purge`](crate::Runtime::purge).
pub(crate) fn run(shared: &Shared, module: &Module, timeout: Duration, by: &Actor) -> Purged {
    let started = Instant::now();
    let generation = {
        let mut state = module.state();
        let Some(old) = state.old() else { return nothing_to_purge(module) };
        old.info.is_cancelled.store(true, Ordering::Relaxed);
        *old.info.purge_requested_by.lock() = Some(by.clone());
        let generation = old.info.id.generation;
        // It is no longer kept for a rollback.
        state.release_old();
        generation
    };
    module.notify_waiters();
    let report = wait_until_purged(shared, module, generation, started, timeout, |_| false);
    if !report.purged && old_generation(module) == Some(generation) {
        module.quarantine_old(generation, report.pins.clone());
    }
    report
}

/// Waits until the version is no longer old, `is_enough` holds, or the time is up. Then reports.
fn wait_until_purged(
    shared: &Shared,
    module: &Module,
    generation: u64,
    started: Instant,
    timeout: Duration,
    is_enough: impl Fn(&ModuleState) -> bool,
) -> Purged {
    let mut report = nothing_to_purge(module);
    let deadline = started.checked_add(timeout);
    let waited = module.wait_for(deadline, |state| !state.is_old(generation) || is_enough(state));
    drop(waited);

    let pins = pins::of_version(shared, module, generation);
    let state = module.state();
    report.took_us = micros(started.elapsed());
    let is_current = state.is_current(generation);
    if let Some(place) = state.place(generation) {
        report.lingering = module.inside(place);
        report.pins = pins;
    } else if let Some(version) = state.quarantined(generation) {
        report.pins = version.pins.clone();
    } else if !is_current {
        // If it is current, a rollback during the wait made it current again, and nothing was purged.
        let purged = state.purged(generation);
        report.purged = true;
        report.unmapped = true;
        report.leaked_bytes = purged.map(|purged| purged.unmapped.leaked_bytes);
        report.left_open = purged.map(|purged| purged.unmapped.left_open.clone()).unwrap_or_default();
    }
    report
}

fn old_generation(module: &Module) -> Option<u64> {
    module.state().old().map(|old| old.info.id.generation)
}

/// The report if there is no old version.
fn nothing_to_purge(module: &Module) -> Purged {
    Purged {
        module: module.name.to_string(),
        purged: false,
        unmapped: false,
        took_us: 0,
        lingering: 0,
        leaked_bytes: None,
        left_open: LeftOpen::default(),
        pins: Vec::new(),
    }
}
