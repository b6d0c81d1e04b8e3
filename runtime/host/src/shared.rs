//! What all clones of a runtime, and its threads, share.

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
    module::{Module, starting::WaitGraph},
    store::{event_log::Events, idempotency::IdempotencyKeys, state_dir::StateDir},
    threads::{registered::RegisteredThreads, tasks::Tasks, unregistered::UnregisteredThreads},
};

/// What all clones, and the runtime's threads, share.
pub(crate) struct Shared {
    pub(crate) modules: RwLock<BTreeMap<String, Arc<Module>>>,
    pub(crate) events: Events,
    pub(crate) state: StateDir,
    pub(crate) registered: Arc<RegisteredThreads>,
    pub(crate) unregistered: Arc<UnregisteredThreads>,
    pub(crate) limits: Limits,
    pub(crate) tasks: Arc<Tasks>,
    /// The generation that the next load gets. Only counted: Relaxed is enough.
    pub(crate) next_generation: AtomicU64,
    /// Set once, by `shutdown`. Nothing else is told by it: Relaxed is enough.
    pub(crate) is_closing: AtomicBool,
    pub(crate) observer: Observer,
    pub(crate) keys: IdempotencyKeys,
    pub(crate) waits: WaitGraph,
    /// Written while versions become current or cease to be, for the moment of the stores; read by whoever wants to find all modules
    /// as they are at one time.
    pub(crate) publish_lock: RwLock<()>,
    /// Where a crash of one of its versions is told; none where nothing is to be told.
    pub(crate) crash_reports: OnceLock<CrashReports>,
}

// === impl Shared ===

impl Shared {
    /// A module of which a version was loaded, or is starting.
    pub(crate) fn module(&self, name: &str) -> Result<Arc<Module>, Error> {
        let module = self.modules.read().get(name).cloned().ok_or_else(|| no_such_module(name))?;
        // One whose first version is starting can be had already: whoever calls it waits for that, and asking for it must not.
        let is_there = {
            let state = module.state();
            state.is_known() || state.starting().is_some()
        };
        if is_there { Ok(module) } else { Err(no_such_module(name)) }
    }

    /// The module of this name, made where there is none. It is shown to nobody until a version of it is current.
    pub(crate) fn get_or_insert_module(&self, name: &str) -> Arc<Module> {
        if let Some(module) = self.modules.read().get(name) {
            return module.clone();
        }
        self.modules
            .write()
            .entry(name.to_owned())
            .or_insert_with(|| {
                let (events, unregistered) = (self.events.clone(), self.unregistered.clone());
                let record = Box::new(move |by: &Actor, event| events.record_event(by, event));
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

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }
}

pub(crate) fn no_such_module(name: &str) -> Error {
    Error::NoSuchModule { name: name.to_owned() }
}
