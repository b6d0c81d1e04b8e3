//! Asking for the old version to be gone. It goes by itself when nobody is inside; these two tell whether, and wait.

pub(crate) mod detach;
pub(crate) mod idle;
pub(crate) mod retire;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use segue_core::Which;
use segue_loader::LeftOpen;

use crate::{
    api::{Actor, Purged},
    clock::micros,
    inspect::pins,
    module::{Module, state::ModuleState, versions::DrainState},
    shared::Shared,
};

/// How long a soft purge waits for an old version that nobody is inside to be out of memory.
const SOFT_PATIENCE: Duration = Duration::from_secs(10);

/// Removes the old version if nobody is inside; see [`Runtime::soft_purge`](crate::Runtime::soft_purge).
pub(crate) fn soft(shared: &Shared, module: &Module) -> Purged {
    let begun = Instant::now();
    // Somebody inside: that is the answer. Nobody: it is on its way out.
    let is_draining = |state: &ModuleState| {
        state.old().is_some_and(|old| {
            matches!(old.drain_state, DrainState::Draining) && module.inside(Which::Old) > 0
        })
    };
    let Some(generation) = old_of(module) else { return nothing_to_purge(module) };
    if module.inside(Which::Old) == 0 {
        // If it is kept for a rollback: that is over.
        module.state().release_old();
        module.notify_waiters();
    }
    purged_when(shared, module, generation, begun, SOFT_PATIENCE, is_draining)
}

/// Purges the old version of a module, if there is one, as [`Runtime::purge`] does.
pub(crate) fn run(shared: &Shared, module: &Module, deadline: Duration, by: &Actor) -> Purged {
    let begun = Instant::now();
    let generation = {
        let mut state = module.state();
        let Some(old) = state.old() else { return nothing_to_purge(module) };
        old.info.is_cancelled.store(true, Ordering::Relaxed);
        *old.info.purge_requested_by.lock() = Some(by.clone());
        let generation = old.info.id.generation;
        // Where it is kept for a rollback: that is over.
        state.release_old();
        generation
    };
    module.notify_waiters();
    let report = purged_when(shared, module, generation, begun, deadline, |_| false);
    if !report.purged && old_of(module) == Some(generation) {
        module.quarantine_old(generation, report.pins.clone());
    }
    report
}

/// Waits until the version that is old is gone, or this is so of the state, or time is up.
fn purged_when(
    shared: &Shared,
    module: &Module,
    generation: u64,
    begun: Instant,
    patience: Duration,
    enough: impl Fn(&ModuleState) -> bool,
) -> Purged {
    let mut report = nothing_to_purge(module);
    let is_old = |state: &ModuleState| state.is_old(generation);
    let deadline = begun.checked_add(patience);
    let waited = module.wait_for(deadline, |state| !is_old(state) || enough(state));
    drop(waited);

    let pins = pins::of_version(shared, module, generation);
    let state = module.state();
    report.took_us = micros(begun.elapsed());
    let is_current = state.is_current(generation);
    if let Some(place) = state.place(generation) {
        report.lingering = module.inside(place);
        report.pins = pins;
    } else if let Some(version) = state.quarantined(generation) {
        report.pins = version.pins.clone();
    } else if !is_current {
        // Where it is current, it was rolled back to meanwhile, and nothing was purged.
        let gone = state.purged(generation);
        report.purged = true;
        report.unmapped = true;
        report.leaked_bytes = gone.map(|gone| gone.unmapped.leaked_bytes);
        report.left_open = gone.map(|gone| gone.unmapped.left_open.clone()).unwrap_or_default();
    }
    report
}

fn old_of(module: &Module) -> Option<u64> {
    module.state().old().map(|old| old.info.id.generation)
}

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
