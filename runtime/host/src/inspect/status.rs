//! What is loaded, as `segue ls` shows it.

use std::{sync::Arc, time::Instant};

use segue_core::Which;

use crate::{
    api::{Error, ModuleStatus, Pin, Standing, VersionStatus},
    inspect::{kept, pins::call_pins},
    module::{
        Module,
        state::ModuleState,
        version::About,
        versions::{Old, Phase, Quarantined},
    },
    shared::{Shared, no_such_module},
};

/// One module, while its state is locked.
struct Look<'a> {
    shared: &'a Shared,
    module: &'a Module,
}

/// All modules, by name.
pub(crate) fn all(shared: &Shared) -> Vec<ModuleStatus> {
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    modules.iter().filter_map(|module| Look { shared, module }.status()).collect()
}

/// One module.
pub(crate) fn of(shared: &Shared, name: &str) -> Result<ModuleStatus, Error> {
    let module = shared.module(name)?;
    Look { shared, module: &module }.status().ok_or_else(|| no_such_module(name))
}

// === impl Look ===

impl Look<'_> {
    /// None if no version of the module was ever current.
    fn status(&self) -> Option<ModuleStatus> {
        // Before the state is locked: it asks all modules.
        let releases_left = kept::releases_left(self.shared, self.module);
        let state = self.module.state();
        if !state.is_known() {
            return None;
        }
        Some(ModuleStatus {
            name: self.module.name.to_string(),
            current: self.current(&state),
            old: state.old().map(|old| self.old(old)),
            quarantined: state.all_quarantined().iter().map(|version| self.quarantined(version)).collect(),
            sticky: state.is_sticky(),
            releases_left,
            callers: self.module.callers.status(),
        })
    }

    fn current(&self, state: &ModuleState) -> Option<VersionStatus> {
        let standing = if state.trial().is_some() { Standing::Trial } else { Standing::Confirmed };
        state.current().map(|about| self.in_cell(about, Which::Current, standing))
    }

    fn old(&self, Old { about, since, phase }: &Old) -> VersionStatus {
        match phase {
            Phase::Draining => VersionStatus {
                pins: self.call_pins(about, Which::Old, *since),
                ..self.in_cell(about, Which::Old, Standing::Draining)
            },
            Phase::Warm => self.in_cell(about, Which::Old, Standing::Warm),
            Phase::Leaving { calls, pins, .. } => {
                VersionStatus { calls: *calls, pins: pins.clone(), ..of_version(about, Standing::Pinned) }
            }
        }
    }

    fn quarantined(&self, version: &Quarantined) -> VersionStatus {
        let place = version.place.map(Which::Quarantined).filter(|place| self.module.inside(*place) > 0);
        match place {
            Some(place) => VersionStatus {
                pins: self.call_pins(&version.about, place, version.since),
                ..self.in_cell(&version.about, place, Standing::Pinned)
            },
            None => VersionStatus {
                calls: version.calls,
                pins: version.pins.clone(),
                ..of_version(&version.about, Standing::Pinned)
            },
        }
    }

    /// A version that calls may be inside.
    fn in_cell(&self, about: &About, which: Which, standing: Standing) -> VersionStatus {
        let count = self.module.cell.count(which);
        VersionStatus {
            inside: count.map_or(0, |count| count.inside),
            calls: count.map_or(0, |count| count.calls),
            oldest_ms: self.shared.residents.oldest_ms(about.id.generation),
            ..of_version(about, standing)
        }
    }

    /// The calls that keep a version.
    fn call_pins(&self, about: &About, place: Which, since: Instant) -> Vec<Pin> {
        call_pins(&self.shared.residents, self.module, about, place, since, |_| Vec::new())
    }
}

/// What holds for any version.
fn of_version(about: &About, status: Standing) -> VersionStatus {
    VersionStatus {
        version: about.id.version.clone(),
        generation: about.id.generation,
        digest: about.digest,
        source: about.source.clone(),
        loaded_at: about.loaded_at,
        status,
        inside: 0,
        oldest_ms: None,
        calls: 0,
        live_bytes: about.live_bytes(),
        pins: Vec::new(),
    }
}
