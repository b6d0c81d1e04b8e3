//! One module: its cell, the state of its versions, its callers, and the waits for it.
//! A line belongs here if it concerns a single module.
//! Never use `shared`, or a room with verbs, here.

pub(crate) mod callers;
pub(crate) mod load_lock;
mod removal;
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
use segue_core::{Cell, Role};
use segue_interface::{CallError, CallFailure};
use segue_loader::InterfaceMismatch;

use crate::{
    api::{Actor, Error, Event, Step},
    module::{
        callers::{Caller, Callers},
        state::ModuleState,
        version::Version,
        versions::{DrainState, Old},
        wake_counter::WakeCounter,
    },
};

/// Records an event of a module, caused by an actor.
pub(crate) type RecordEvent = Box<dyn Fn(&Actor, Event) + Send + Sync>;

/// One module of a runtime.
pub(crate) struct Module {
    pub(crate) name: Arc<str>,
    pub(crate) cell: Arc<Cell<Version>>,
    /// Held by the running load. Loads of one module queue; loads of different modules do not.
    pub(crate) load_lock: Mutex<()>,
    /// The number of the newest file that the modules directory has offered. A waiting load of an older one
    /// gives up.
    pub(crate) last_drop_in_number: Mutex<u64>,
    /// The callers that have a handle to the module. They are admitted with the state locked, so no version
    /// can become current meanwhile.
    pub(crate) callers: Callers,
    state: Mutex<ModuleState>,
    /// Notified of each change of the state.
    changed: Condvar,
    wake_counter: Arc<WakeCounter>,
    record: RecordEvent,
    /// How long callers wait for the module's first version while it starts.
    first_version_timeout: Duration,
}

// === impl Module ===

impl Module {
    /// Each thread that leaves a watched version calls `on_leave`.
    pub(crate) fn new(
        name: &str,
        record: RecordEvent,
        on_leave: impl Fn() + Send + Sync + 'static,
        first_version_timeout: Duration,
    ) -> Arc<Self> {
        let wake_counter = Arc::new(WakeCounter::default());
        let counter = wake_counter.clone();
        let wake = move || {
            counter.increment();
            on_leave();
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

    /// Admits a caller if the current version matches its interface. Calls `make` before another version can
    /// become current.
    pub(crate) fn admit<R>(&self, caller: &Arc<Caller>, make: impl FnOnce() -> R) -> Result<R, Error> {
        let state = self.state();
        if let (Some(expected), Some(next)) = (caller.expected(), state.next_metadata()) {
            // Only its metadata for now. Its exports are checked when it becomes current.
            expected.check(next).map_err(|source| self.interface_mismatch(&next.version, None, source))?;
        } else if let (Some(expected), Some(current)) = (caller.expected(), self.cell.occupant(Role::Current))
        {
            current
                .image
                .check_interface(expected)
                .map_err(|source| self.interface_mismatch(&current.info.id.version, None, source))?;
        }
        self.callers.admit(caller);
        Ok(make())
    }

    /// The error for a version that does not match the interface of a caller.
    pub(crate) fn interface_mismatch(
        &self,
        version: &str,
        step: Option<Step>,
        source: InterfaceMismatch,
    ) -> Error {
        let (module, version) = (self.name.to_string(), version.to_owned());
        Error::Interface { module, version, step, source: Box::new(source) }
    }

    /// The error of a call if there is no current version.
    #[cold]
    pub(crate) fn no_current(&self) -> CallError {
        CallFailure::NoCurrent { module: self.name.to_string() }.into()
    }

    /// How long callers wait for the module's first version while it starts.
    pub(crate) fn first_version_timeout(&self) -> Duration {
        self.first_version_timeout
    }

    pub(crate) fn wake_counter(&self) -> &WakeCounter {
        &self.wake_counter
    }

    /// Locks the state, and quarantines the old version first if its unload takes too long. The threads that
    /// read the state do this, because the thread that unloads the version may be stuck in the module's
    /// `Drop`.
    pub(crate) fn state(&self) -> MutexGuard<'_, ModuleState> {
        let mut state = self.state.lock();
        if state.overdue_at().is_some_and(|at| Instant::now() >= at)
            && let Some(Old { info, drain_state: DrainState::Unloading { pins, .. }, .. }) = state.old()
        {
            let (info, pins) = (info.clone(), pins.clone());
            self.quarantine_in(&mut state, &info, pins);
        }
        state
    }

    /// Wakes all waiters. Call it after each change of the state, or of anything else that a waiter's
    /// predicate reads.
    pub(crate) fn notify_waiters(&self) {
        // A waiter that has evaluated its predicate and does not wait yet holds the lock.
        drop(self.state.lock());
        self.changed.notify_all();
        self.wake_counter.increment();
    }

    /// Waits until the predicate holds, and returns the locked state; `None` on timeout. Without a deadline
    /// it waits indefinitely.
    pub(crate) fn wait_for(
        &self,
        deadline: Option<Instant>,
        mut predicate: impl FnMut(&mut ModuleState) -> bool,
    ) -> Option<MutexGuard<'_, ModuleState>> {
        loop {
            let mut state = self.state();
            if predicate(&mut state) {
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

    /// The number of calls inside a version.
    pub(crate) fn inside(&self, which: Role) -> u64 {
        self.cell.count(which).map_or(0, |count| count.inside)
    }
}
