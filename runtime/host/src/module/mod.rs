//! One module: its cell, and the state that is kept about it.

pub(crate) mod callers;
pub(crate) mod starting;
pub(crate) mod state;
pub(crate) mod turn;
pub(crate) mod version;
pub(crate) mod versions;
pub(crate) mod waker;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use segue_core::{Cell, Which};
use segue_interface::{CallError, CallFailure};
use segue_loader::{InterfaceMismatch, Unmapped};

use crate::{
    api::{By, Error, Event, Pin, Step},
    clock::micros,
    module::{
        callers::{Caller, Callers},
        state::ModuleState,
        version::{About, Version},
        versions::{Old, Phase},
        waker::Bell,
    },
};

/// Records what happened to a module, on behalf of somebody.
pub(crate) type Record = Box<dyn Fn(&By, Event) + Send + Sync>;

/// One module of a runtime.
pub(crate) struct Module {
    pub(crate) name: Arc<str>,
    pub(crate) cell: Arc<Cell<Version>>,
    /// Held by the load that goes on: loads of one module queue, loads of different modules do not.
    pub(crate) turn: Mutex<()>,
    /// Which drop-in is the newest; an earlier one that still waits gives way.
    pub(crate) newest_drop_in: Mutex<u64>,
    /// Who has a handle to it. One is admitted with the state locked, so that no version becomes current meanwhile.
    pub(crate) callers: Callers,
    state: Mutex<ModuleState>,
    /// Rung at each change of the state.
    changed: Condvar,
    bell: Arc<Bell>,
    record: Record,
    /// How long callers wait for the module's first version while it is starting.
    first_patience: Duration,
}

// === impl Module ===

impl Module {
    /// `left` is called by each thread that leaves a version that somebody watches.
    pub(crate) fn new(
        name: &str,
        record: Record,
        left: impl Fn() + Send + Sync + 'static,
        first_patience: Duration,
    ) -> Arc<Self> {
        let bell = Arc::new(Bell::default());
        let rung_by_leavers = bell.clone();
        let wake = move || {
            rung_by_leavers.ring();
            left();
        };
        Arc::new(Module {
            name: name.into(),
            cell: Cell::new(Box::new(wake)),
            turn: Mutex::new(()),
            newest_drop_in: Mutex::new(0),
            callers: Callers::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            bell,
            record,
            first_patience,
        })
    }

    /// Admits a caller whom the current version fits, and makes what it calls through, before another version can come.
    pub(crate) fn admit<R>(&self, caller: &Arc<Caller>, make: impl FnOnce() -> R) -> Result<R, Error> {
        let state = self.state();
        if let (Some(expected), Some(offered)) = (caller.expected(), state.offered()) {
            // Once more, and with what it exports, when it becomes current.
            expected.check(offered).map_err(|source| self.does_not_fit(&offered.version, None, source))?;
        } else if let (Some(expected), Some(current)) =
            (caller.expected(), self.cell.occupant(Which::Current))
        {
            current
                .image
                .check_interface(expected)
                .map_err(|source| self.does_not_fit(&current.about.id.version, None, source))?;
        }
        self.callers.admit(caller);
        Ok(make())
    }

    /// The refusal of a version that does not fit who calls.
    pub(crate) fn does_not_fit(&self, version: &str, step: Option<Step>, source: InterfaceMismatch) -> Error {
        let (module, version) = (self.name.to_string(), version.to_owned());
        Error::Interface { module, version, step, source: Box::new(source) }
    }

    /// The error of a call that finds nobody.
    #[cold]
    pub(crate) fn no_current(&self) -> CallError {
        CallFailure::NoCurrent { module: self.name.to_string() }.into()
    }

    /// How long callers wait for the module's first version while it is starting.
    pub(crate) fn first_patience(&self) -> Duration {
        self.first_patience
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The state, in which no version has been leaving for too long: whoever takes it out may be stuck in the module's own
    /// `Drop`, so it is whoever looks that puts it in quarantine.
    pub(crate) fn state(&self) -> MutexGuard<'_, ModuleState> {
        let mut state = self.state.lock();
        if state.overdue_at().is_some_and(|at| Instant::now() >= at)
            && let Some(Old { about, phase: Phase::Leaving { pins, .. }, .. }) = state.old()
        {
            let (about, pins) = (about.clone(), pins.clone());
            self.quarantine_in(&mut state, &about, pins);
        }
        state
    }

    /// Puts a version in quarantine that cannot leave, old or never current; where it is there, notes what keeps it. Answers
    /// whether it was not there.
    pub(crate) fn quarantine(&self, about: &Arc<About>, pins: Vec<Pin>) -> bool {
        let mut state = self.state.lock();
        if state.quarantined(about.id.generation).is_some() {
            state.note_pins(about.id.generation, pins);
            return false;
        }
        self.quarantine_in(&mut state, about, pins);
        drop(state);
        self.tell_change();
        true
    }

    /// Puts the old version in quarantine, where it is this one. Callers may be inside; then it keeps its lane.
    pub(crate) fn quarantine_old(&self, generation: u64, pins: Vec<Pin>) {
        let mut state = self.state.lock();
        if let Some(old) = state.old().filter(|old| old.about.id.generation == generation) {
            let about = old.about.clone();
            self.quarantine_in(&mut state, &about, pins);
        }
        drop(state);
        self.tell_change();
    }

    fn quarantine_in(&self, state: &mut ModuleState, about: &Arc<About>, pins: Vec<Pin>) {
        let id = &about.id;
        tracing::warn!(
            module = %self.name, version = id.version, generation = id.generation, ?pins, "quarantined"
        );
        let (module, old) = (self.name.to_string(), about.id.clone());
        let by = about.purge_asked.lock().clone().unwrap_or_else(|| By::runtime("it could not leave"));
        let event = Event::Retained { module, old, pins: pins.clone() };
        state.quarantine(&self.cell, about, pins, || (self.record)(&by, event));
        self.changed.notify_all();
    }

    /// A version has left memory. It is told with the state locked, so that no load that it made room for is told before.
    pub(crate) fn forget(&self, about: &About, drain: Duration, purge: Duration, unmapped: Unmapped) {
        let old = &about.id;
        let by =
            about.purge_asked.lock().clone().unwrap_or_else(|| By::runtime("it was not needed any more"));
        let mut state = self.state.lock();
        let purged = Event::Purged {
            module: self.name.to_string(),
            old: old.clone(),
            drain_us: micros(drain),
            purge_us: micros(purge),
            leaked_bytes: unmapped.leaked_bytes,
            destructors_dropped: unmapped.destructors_dropped,
            left_open: unmapped.left_open.clone(),
            threads_ended: about.threads_ended.load(std::sync::atomic::Ordering::Relaxed),
        };
        state.record_purged(old.generation, unmapped, || (self.record)(&by, purged));
        drop(state);
        self.tell_change();
    }

    /// To be called after each change of the state, or of what waiters of the state look at: they look again.
    pub(crate) fn tell_change(&self) {
        // A waiter that has looked and does not wait yet holds the lock.
        drop(self.state.lock());
        self.changed.notify_all();
        self.bell.ring();
    }

    /// Waits until this is so of the state, and answers with the state; none where it is not so at the deadline. Without a
    /// deadline it waits for ever.
    pub(crate) fn wait_for(
        &self,
        deadline: Option<Instant>,
        mut is_so: impl FnMut(&mut ModuleState) -> bool,
    ) -> Option<MutexGuard<'_, ModuleState>> {
        loop {
            let mut state = self.state();
            if is_so(&mut state) {
                return Some(state);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return None;
            }
            match [deadline, state.overdue_at()].into_iter().flatten().min() {
                None => self.changed.wait(&mut state),
                Some(until) => drop(self.changed.wait_until(&mut state, until)),
            }
        }
    }

    /// The calls inside a version now.
    pub(crate) fn inside(&self, which: Which) -> u64 {
        self.cell.count(which).map_or(0, |count| count.inside)
    }
}
