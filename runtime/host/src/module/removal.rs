//! Records that a version was quarantined or unloaded.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use segue_loader::Unmapped;

use crate::{
    api::{Actor, Event, Pin},
    clock::micros,
    module::{Module, state::ModuleState, version::VersionInfo},
};

// === impl Module ===

impl Module {
    /// Quarantines a version that cannot be unloaded: the old version, or one that was never current. If it
    /// is quarantined already, this only notes its pins. Returns whether it is newly quarantined.
    pub(crate) fn quarantine(&self, info: &Arc<VersionInfo>, pins: Vec<Pin>) -> bool {
        let mut state = self.state.lock();
        if state.quarantined(info.id.generation).is_some() {
            state.note_pins(info.id.generation, pins);
            return false;
        }
        self.quarantine_in(&mut state, info, pins);
        drop(state);
        self.notify_waiters();
        true
    }

    /// Quarantines the old version, if it has this generation. If calls are inside, it keeps its lane.
    pub(crate) fn quarantine_old(&self, generation: u64, pins: Vec<Pin>) {
        let mut state = self.state.lock();
        if let Some(old) = state.old().filter(|old| old.info.id.generation == generation) {
            let info = old.info.clone();
            self.quarantine_in(&mut state, &info, pins);
        }
        drop(state);
        self.notify_waiters();
    }

    pub(super) fn quarantine_in(&self, state: &mut ModuleState, info: &Arc<VersionInfo>, pins: Vec<Pin>) {
        let id = &info.id;
        tracing::warn!(
            module = %self.name, version = id.version, generation = id.generation, ?pins, "quarantined"
        );
        let (module, old) = (self.name.to_string(), info.id.clone());
        let actor = requested_by(info).unwrap_or_else(|| Actor::runtime("it could not be unloaded"));
        let event = Event::Quarantined { module, old, pins: pins.clone() };
        state.quarantine(&self.cell, info, pins, || (self.record)(&actor, event));
        self.changed.notify_all();
    }

    /// Records that a version was unloaded. The state is locked meanwhile, so this event precedes the event
    /// of a load that waited for it.
    pub(crate) fn record_purged(
        &self,
        info: &VersionInfo,
        drain: Duration,
        purge: Duration,
        unmapped: Unmapped,
    ) {
        let old = &info.id;
        let actor = requested_by(info).unwrap_or_else(|| Actor::runtime("it was unused"));
        let mut state = self.state.lock();
        let purged = Event::Purged {
            module: self.name.to_string(),
            old: old.clone(),
            drain_us: micros(drain),
            purge_us: micros(purge),
            leaked_bytes: unmapped.leaked_bytes,
            destructors_dropped: unmapped.destructors_dropped,
            left_open: unmapped.left_open.clone(),
            threads_ended: info.threads_ended.load(Ordering::Relaxed),
        };
        state.record_purged(old.generation, unmapped, || (self.record)(&actor, purged));
        drop(state);
        self.notify_waiters();
    }
}

/// Who requested the purge of a version, if anybody did.
fn requested_by(info: &VersionInfo) -> Option<Actor> {
    info.purge_requested_by.lock().clone()
}
