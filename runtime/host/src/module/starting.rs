//! Waiting for a module's first version while it is starting.
//!
//! A call of a module that has a current version never waits. If the module has none yet, and its first
//! version is in `on_load`, a call waits for it up to a timeout instead of failing at once.
//!
//! That `on_load` may call other modules whose first version is starting too. Two modules that wait for each
//! other would both time out. So the [`WaitGraph`] has an edge for each wait, and a call that would close a
//! cycle fails at once. The same applies to an `on_load` that calls its own module, and to members of a set,
//! which become current together.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::module::Module;

/// Which starting modules wait for the first versions of which modules.
#[derive(Default)]
pub(crate) struct WaitGraph {
    by_module: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

/// One or more modules wait for another module while this exists.
pub(crate) struct WaitEdge<'a> {
    graph: &'a WaitGraph,
    from: Vec<Arc<str>>,
}

/// The first version of a module is pending while this exists: its load has begun, its start has not.
pub(crate) struct PendingLoad {
    module: Arc<Module>,
}

/// A version is starting while this exists: from its `on_load` until it is current or has failed.
pub(crate) struct Starting {
    module: Arc<Module>,
    generation: u64,
}

/// The generation of a pending version. No version has it.
const PENDING: u64 = 0;

// === impl PendingLoad ===

impl PendingLoad {
    /// From now on callers wait for the module's first version, unless it has a current or a starting
    /// version. They do not wait if the module was deleted and has an old version, because the load may wait
    /// for that version without limit.
    pub(crate) fn begin(module: &Arc<Module>) -> Self {
        let mut state = module.state();
        if state.current().is_none() && state.old().is_none() && state.starting().is_none() {
            state.begin_start(PENDING);
        }
        drop(state);
        PendingLoad { module: module.clone() }
    }
}

impl Drop for PendingLoad {
    fn drop(&mut self) {
        // If the start has begun, `Starting` ends it.
        self.module.state().end_start(PENDING);
        self.module.notify_waiters();
    }
}

// === impl Starting ===

impl Starting {
    pub(crate) fn begin(module: &Arc<Module>, generation: u64) -> Self {
        module.state().begin_start(generation);
        Starting { module: module.clone(), generation }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.module.state().end_start(self.generation);
        self.module.notify_waiters();
    }
}

// === impl WaitGraph ===

impl WaitGraph {
    /// Members of a set that have started wait for another member.
    pub(crate) fn add_set(&self, from: impl Iterator<Item = Arc<str>>, to: &Arc<str>) -> WaitEdge<'_> {
        let from: Vec<Arc<str>> = from.collect();
        self.by_module.lock().extend(from.iter().map(|name| (name.clone(), to.clone())));
        WaitEdge { graph: self, from }
    }

    /// The start of one module waits for another module. `None` if this would close a cycle.
    pub(crate) fn add(&self, from: &Arc<str>, to: &Arc<str>) -> Option<WaitEdge<'_>> {
        let mut waits = self.by_module.lock();
        let mut end = to;
        while end != from {
            match waits.get(end) {
                Some(next) => end = next,
                None => {
                    waits.insert(from.clone(), to.clone());
                    return Some(WaitEdge { graph: self, from: vec![from.clone()] });
                }
            }
        }
        None
    }
}

impl Drop for WaitEdge<'_> {
    fn drop(&mut self) {
        let mut waits = self.graph.by_module.lock();
        self.from.iter().for_each(|name| drop(waits.remove(name)));
    }
}

// === impl Module ===

impl Module {
    /// Waits for the first version if it is starting. Returns at once if there is a current version, or if
    /// none is starting.
    pub(crate) fn wait_for_first_version(&self, timeout: Duration) {
        if !self.is_first_starting() {
            return;
        }
        let deadline = Instant::now().checked_add(timeout);
        drop(self.wait_for(deadline, |state| state.current().is_some() || state.starting().is_none()));
    }

    /// Whether the first version is starting.
    pub(crate) fn is_first_starting(&self) -> bool {
        let state = self.state();
        state.current().is_none() && state.starting().is_some()
    }
}
