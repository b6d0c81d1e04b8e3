//! One module: its cell, and the state that is kept about it.

pub(crate) mod callers;
pub(crate) mod load_lock;
pub(crate) mod starting;
pub(crate) mod state;
pub(crate) mod version;
pub(crate) mod versions;
pub(crate) mod wake_counter;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use segue_core::{Cell, Which};
use segue_interface::{CallError, CallFailure};
use segue_loader::{InterfaceMismatch, Unmapped};

use crate::{
    api::{Actor, Error, Event, Pin, Step},
    clock::micros,
    module::{
        callers::{Caller, Callers},
        state::ModuleState,
        version::{Version, VersionInfo},
        versions::{Old, OldPhase},
        wake_counter::WakeCounter,
    },
};

/// Records what happened to a module, on behalf of somebody.
pub(crate) type RecordEvent = Box<dyn Fn(&Actor, Event) + Send + Sync>;

/// One module of a runtime.
pub(crate) struct Module {
    pub(crate) name: Arc<str>,
    pub(crate) cell: Arc<Cell<Version>>,
    /// Held by the load that goes on: loads of one module queue, loads of different modules do not.
    pub(crate) load_lock: Mutex<()>,
    /// Which drop-in is the newest; an earlier one that still waits gives way.
    pub(crate) last_drop_in_number: Mutex<u64>,
    /// Who has a handle to it. One is admitted with the state locked, so that no version becomes current meanwhile.
    pub(crate) callers: Callers,
    state: Mutex<ModuleState>,
    /// Rung at each change of the state.
    changed: Condvar,
    wake_counter: Arc<WakeCounter>,
    record: RecordEvent,
    /// How long callers wait for the module's first version while it is starting.
    first_version_timeout: Duration,
}

// === impl Module ===

impl Module {
    /// `left` is called by each thread that leaves a version that somebody watches.
    pub(crate) fn new(
        name: &str,
        record: RecordEvent,
        left: impl Fn() + Send + Sync + 'static,
        first_version_timeout: Duration,
    ) -> Arc<Self> {
        let wake_counter = Arc::new(WakeCounter::default());
        let rung_by_leavers = wake_counter.clone();
        let wake = move || {
            rung_by_leavers.increment();
            left();
        };
        Arc::new(Module {
            name: name.into(),
            cell: Cell::new(Box::new(wake)),
            load_lock: Mutex::new(()),
            last_drop_in_number: Mutex::new(0),
            callers: Callers::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            wake_counter,
            record,
            first_version_timeout,
        })
    }

    /// Admits a caller whom the current version fits, and makes what it calls through, before another version can come.
    pub(crate) fn admit<R>(&self, caller: &Arc<Caller>, make: impl FnOnce() -> R) -> Result<R, Error> {
        let state = self.state();
        if let (Some(expected), Some(offered)) = (caller.expected(), state.offered()) {
            // Once more, and with what it exports, when it becomes current.
            expected
                .check(offered)
                .map_err(|source| self.interface_mismatch(&offered.version, None, source))?;
        } else if let (Some(expected), Some(current)) =
            (caller.expected(), self.cell.occupant(Which::Current))
        {
            current
                .image
                .check_interface(expected)
                .map_err(|source| self.interface_mismatch(&current.info.id.version, None, source))?;
        }
        self.callers.admit(caller);
        Ok(make())
    }

    /// The refusal of a version that does not fit who calls.
    pub(crate) fn interface_mismatch(
        &self,
        version: &str,
        step: Option<Step>,
        source: InterfaceMismatch,
    ) -> Error {
        let (module, version) = (self.name.to_string(), version.to_owned());
        Error::Interface { module, version, step, source: Box::new(source) }
    }

    /// The error of a call that finds nobody.
    #[cold]
    pub(crate) fn no_current(&self) -> CallError {
        CallFailure::NoCurrent { module: self.name.to_string() }.into()
    }

    /// How long callers wait for the module's first version while it is starting.
    pub(crate) fn first_version_timeout(&self) -> Duration {
        self.first_version_timeout
    }

    pub(crate) fn wake_counter(&self) -> &WakeCounter {
        &self.wake_counter
    }

    /// The state, in which no version has been leaving for too long: whoever takes it out may be stuck in the module's own
    /// `Drop`, so it is whoever looks that puts it in quarantine.
    pub(crate) fn state(&self) -> MutexGuard<'_, ModuleState> {
        let mut state = self.state.lock();
        if state.overdue_at().is_some_and(|at| Instant::now() >= at)
            && let Some(Old { info, phase: OldPhase::Leaving { pins, .. }, .. }) = state.old()
        {
            let (info, pins) = (info.clone(), pins.clone());
            self.quarantine_in(&mut state, &info, pins);
        }
        state
    }

    /// Puts a version in quarantine that cannot leave, old or never current; where it is there, notes what keeps it. Answers
    /// whether it was not there.
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

    /// Puts the old version in quarantine, where it is this one. Callers may be inside; then it keeps its lane.
    pub(crate) fn quarantine_old(&self, generation: u64, pins: Vec<Pin>) {
        let mut state = self.state.lock();
        if let Some(old) = state.old().filter(|old| old.info.id.generation == generation) {
            let info = old.info.clone();
            self.quarantine_in(&mut state, &info, pins);
        }
        drop(state);
        self.notify_waiters();
    }

    fn quarantine_in(&self, state: &mut ModuleState, info: &Arc<VersionInfo>, pins: Vec<Pin>) {
        let id = &info.id;
        tracing::warn!(
            module = %self.name, version = id.version, generation = id.generation, ?pins, "quarantined"
        );
        let (module, old) = (self.name.to_string(), info.id.clone());
        let by =
            info.purge_requested_by.lock().clone().unwrap_or_else(|| Actor::runtime("it could not leave"));
        let event = Event::Quarantined { module, old, pins: pins.clone() };
        state.quarantine(&self.cell, info, pins, || (self.record)(&by, event));
        self.changed.notify_all();
    }

    /// A version has left memory. It is told with the state locked, so that no load that it made room for is told before.
    pub(crate) fn record_purged(
        &self,
        info: &VersionInfo,
        drain: Duration,
        purge: Duration,
        unmapped: Unmapped,
    ) {
        let old = &info.id;
        let by = info
            .purge_requested_by
            .lock()
            .clone()
            .unwrap_or_else(|| Actor::runtime("it was not needed any more"));
        let mut state = self.state.lock();
        let purged = Event::Purged {
            module: self.name.to_string(),
            old: old.clone(),
            drain_us: micros(drain),
            purge_us: micros(purge),
            leaked_bytes: unmapped.leaked_bytes,
            destructors_dropped: unmapped.destructors_dropped,
            left_open: unmapped.left_open.clone(),
            threads_ended: info.threads_ended.load(std::sync::atomic::Ordering::Relaxed),
        };
        state.record_purged(old.generation, unmapped, || (self.record)(&by, purged));
        drop(state);
        self.notify_waiters();
    }

    /// To be called after each change of the state, or of what waiters of the state look at: they look again.
    pub(crate) fn notify_waiters(&self) {
        // A waiter that has looked and does not wait yet holds the lock.
        drop(self.state.lock());
        self.changed.notify_all();
        self.wake_counter.increment();
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
