//! The status of modules, as `segue ls` shows it.

use std::{sync::Arc, time::Instant};

use segue_core::Role;

use crate::{
    api::{Error, ModuleStatus, Pin, VersionState, VersionStatus},
    inspect::{call_pins, kept},
    module::{
        Module,
        state::ModuleState,
        version::VersionInfo,
        versions::{DrainState, Old, Quarantined},
    },
    shared::{Shared, no_such_module},
};

/// A module whose status is being read.
struct ModuleView<'a> {
    shared: &'a Shared,
    module: &'a Module,
}

/// The status of all modules, in the order of their names.
pub(crate) fn all(shared: &Shared) -> Vec<ModuleStatus> {
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    modules.iter().filter_map(|module| ModuleView { shared, module }.status()).collect()
}

/// The status of one module.
pub(crate) fn of(shared: &Shared, name: &str) -> Result<ModuleStatus, Error> {
    let module = shared.module(name)?;
    ModuleView { shared, module: &module }.status().ok_or_else(|| no_such_module(name))
}

// === impl ModuleView ===

impl ModuleView<'_> {
    /// `None` if there is nothing to report about the module.
    fn status(&self) -> Option<ModuleStatus> {
        // Before the lock, because it locks the states of all modules.
        let releases_left = kept::releases_left(self.shared, self.module);
        let state = self.module.state();
        if !state.is_known() {
            return None;
        }
        Some(ModuleStatus {
            name: self.module.name.to_string(),
            current: self.current(&state),
            old: state.old().map(|old| self.old(old)),
            quarantined: state
                .quarantined_versions()
                .iter()
                .map(|version| self.quarantined(version))
                .collect(),
            restarts_to: self.shared.events.restart_target(&self.module.name),
            sticky: state.is_sticky(),
            releases_left,
            callers: self.module.callers.status(),
        })
    }

    fn current(&self, state: &ModuleState) -> Option<VersionStatus> {
        let status = if state.trial().is_some() { VersionState::Trial } else { VersionState::Confirmed };
        state.current().map(|info| self.in_cell(info, Role::Current, status))
    }

    fn old(&self, Old { info, since, drain_state }: &Old) -> VersionStatus {
        match drain_state {
            DrainState::Draining => VersionStatus {
                pins: self.call_pins(info, Role::Old, *since),
                ..self.in_cell(info, Role::Old, VersionState::Draining)
            },
            DrainState::Warm => self.in_cell(info, Role::Old, VersionState::Warm),
            DrainState::Unloading { calls, pins, .. } => VersionStatus {
                calls: *calls,
                pins: pins.clone(),
                ..without_calls(info, VersionState::Pinned)
            },
        }
    }

    fn quarantined(&self, version: &Quarantined) -> VersionStatus {
        let place = version.place.map(Role::Quarantined).filter(|place| self.module.inside(*place) > 0);
        match place {
            Some(place) => VersionStatus {
                pins: self.call_pins(&version.info, place, version.since),
                ..self.in_cell(&version.info, place, VersionState::Pinned)
            },
            None => VersionStatus {
                calls: version.calls,
                pins: version.pins.clone(),
                ..without_calls(&version.info, VersionState::Pinned)
            },
        }
    }

    /// The status of a version that calls may be inside.
    fn in_cell(&self, info: &VersionInfo, which: Role, status: VersionState) -> VersionStatus {
        let count = self.module.cell.count(which);
        VersionStatus {
            inside: count.map_or(0, |count| count.inside),
            calls: count.map_or(0, |count| count.calls),
            oldest_ms: self.shared.registered.oldest_ms(info.id.generation),
            ..without_calls(info, status)
        }
    }

    /// The calls inside a version.
    fn call_pins(&self, info: &VersionInfo, place: Role, since: Instant) -> Vec<Pin> {
        call_pins::of_version(&self.shared.registered, self.module, info, place, since, |_| Vec::new())
    }
}

/// The status of a version that no call is inside.
fn without_calls(info: &VersionInfo, status: VersionState) -> VersionStatus {
    VersionStatus {
        version: info.id.version.clone(),
        generation: info.id.generation,
        digest: info.digest,
        source: info.source.clone(),
        loaded_at: info.loaded_at,
        status,
        inside: 0,
        oldest_ms: None,
        calls: 0,
        live_bytes: info.live_bytes(),
        pins: Vec::new(),
    }
}
