//! The pins of old and quarantined versions: what holds each in memory, and what must happen before it is
//! unloaded.

use std::sync::Arc;

use segue_core::{Role, ThreadId};
use segue_loader::UntrackedThreads;

use crate::{
    api::{Error, HeldVersion, Pin, Pins},
    inspect::{call_pins, obstacle_pins::untracked_thread_pin, status},
    module::Module,
    shared::Shared,
};

/// The pins of a module's old version and of its quarantined versions.
pub(crate) fn report(shared: &Shared, name: &str) -> Result<Pins, Error> {
    let module = shared.module(name)?;
    let status = status::of(shared, name)?;
    let held = status.old.into_iter().chain(status.quarantined).map(|version| HeldVersion {
        pins: of_version(shared, &module, version.generation),
        version: version.version,
        generation: version.generation,
        status: version.status,
    });
    Ok(Pins { module: name.to_owned(), held: held.collect() })
}

/// The pins of an old or quarantined version. It reads all modules, so no state may be locked.
pub(crate) fn of_version(shared: &Shared, module: &Module, generation: u64) -> Vec<Pin> {
    let (info, place, since, noted) = {
        let state = module.state();
        let Some(place) = state.place(generation) else {
            // No call can be inside.
            let info = state.quarantined(generation).map(|version| version.info.clone());
            let mut pins = state.noted_pins(generation);
            drop(state);
            let untracked = info.as_ref().and_then(|info| info.untracked_threads.get());
            let threads = untracked.map(UntrackedThreads::list).unwrap_or_default();
            pins.extend(threads.iter().map(untracked_thread_pin));
            return pins;
        };
        let found = match (state.old(), state.quarantined(generation)) {
            (Some(old), None) => Some((old.info.clone(), old.since)),
            (_, Some(version)) => Some((version.info.clone(), version.since)),
            _ => None,
        };
        let Some((info, since)) = found else { return Vec::new() };
        (info, place, since, state.noted_pins(generation))
    };
    let other_versions = |thread: ThreadId| versions_of_others(shared, module, thread);
    let calls = call_pins::of_version(&shared.registered, module, &info, place, since, other_versions);
    if calls.is_empty() { noted } else { calls }
}

/// The versions of other modules that a thread is inside: it called this module from them, or calls them from
/// this module.
fn versions_of_others(shared: &Shared, excluded: &Module, thread: ThreadId) -> Vec<String> {
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    let others = modules.iter().filter(|module| module.name != excluded.name);
    let mut found = Vec::new();
    for module in others {
        for which in [Role::Current, Role::Old] {
            if module.cell.calls_by_thread(which).iter().any(|inside| inside.thread == thread)
                && let Some(version) = module.cell.occupant(which)
            {
                found.push(format!("{} {}", module.name, version.info.id));
            }
        }
    }
    found
}
