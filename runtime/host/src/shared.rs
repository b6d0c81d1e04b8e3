//! The fields that all clones of a runtime and its threads share.
//! A line belongs here if it is one of these fields, or a getter.
//! Never put anything here that changes a module, and never use a room with verbs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;
use segue_loader::CrashReports;

use crate::{
    api::{Actor, Error, Limits, Observer},
    module::{Module, starting::WaitGraph, state::PublishLock},
    store::{event_log::Events, idempotency::IdempotencyKeys, state_dir::StateDir},
    threads::{registered::RegisteredThreads, tasks::Tasks, unregistered::UnregisteredThreads},
};

/// The fields that all clones and all threads of a runtime share.
pub(crate) struct Shared {
    pub(crate) modules: RwLock<BTreeMap<String, Arc<Module>>>,
    pub(crate) events: Events,
    pub(crate) state_dir: StateDir,
    pub(crate) registered: Arc<RegisteredThreads>,
    pub(crate) unregistered: Arc<UnregisteredThreads>,
    pub(crate) limits: Limits,
    pub(crate) tasks: Arc<Tasks>,
    /// The generation of the next load. Only a counter, so Relaxed is enough.
    pub(crate) next_generation: AtomicU64,
    /// Set once, by `shutdown`. It orders no other memory access, so Relaxed is enough.
    pub(crate) is_shutting_down: AtomicBool,
    pub(crate) observer: Observer,
    pub(crate) idempotency_keys: IdempotencyKeys,
    pub(crate) wait_graph: WaitGraph,
    /// Write-locked while versions become current, or stop being current. A snapshot read-locks it.
    pub(crate) publish_lock: PublishLock,
    /// The crash reports of the process; empty if they are not installed.
    pub(crate) crash_reports: OnceLock<CrashReports>,
}

// === impl Shared ===

impl Shared {
    /// A module that has or had a version, or whose first version is starting.
    pub(crate) fn module(&self, name: &str) -> Result<Arc<Module>, Error> {
        let module = self.modules.read().get(name).cloned().ok_or_else(|| no_such_module(name))?;
        // A handle must not wait for a first version that is starting: its calls wait.
        let is_available = {
            let state = module.state();
            state.is_known() || state.starting().is_some()
        };
        if is_available { Ok(module) } else { Err(no_such_module(name)) }
    }

    /// The module with this name, created if there is none. It is not reported before it has had a version.
    pub(crate) fn get_or_insert_module(&self, name: &str) -> Arc<Module> {
        if let Some(module) = self.modules.read().get(name) {
            return module.clone();
        }
        self.modules
            .write()
            .entry(name.to_owned())
            .or_insert_with(|| {
                let (events, unregistered) = (self.events.clone(), self.unregistered.clone());
                let record = Box::new(move |actor: &Actor, event| events.record_event(actor, event));
                Module::new(
                    name,
                    record,
                    move || unregistered.run_posted(),
                    self.limits.first_version_timeout,
                )
            })
            .clone()
    }

    pub(crate) fn new_generation(&self) -> u64 {
        self.next_generation.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(Ordering::Relaxed)
    }
}

pub(crate) fn no_such_module(name: &str) -> Error {
    Error::NoSuchModule { name: name.to_owned() }
}
