//! Waiting for a module's first version while it is starting.
//!
//! A call of a module that has a current version never waits. If there is none yet, and the first one is in its `on_load`, a
//! caller that comes early waits for it, for a while, instead of getting an error.
//!
//! That `on_load` may call other modules whose first version is starting too. Two that wait for each other would wait until
//! they time out. So the [`WaitGraph`] has an edge for each wait, and a caller that would close a cycle gets the error at
//! once. The same goes for an `on_load` that calls its own module, and for members of a set: they become current together.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::module::Module;

/// Which modules' starts wait for which modules' first versions.
#[derive(Default)]
pub(crate) struct WaitGraph {
    by_module: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

/// Some modules wait for another one, as long as this exists.
pub(crate) struct WaitEdge<'a> {
    graph: &'a WaitGraph,
    from: Vec<Arc<str>>,
}

/// A first version of a module is coming whose start has not begun, as long as this exists.
pub(crate) struct PendingLoad {
    module: Arc<Module>,
}

/// A version is starting, as long as this exists: from its `on_load` until it is current, or is known not to be.
pub(crate) struct Starting {
    module: Arc<Module>,
    generation: u64,
}

/// The generation of a version that is coming. No version has it.
const PENDING: u64 = 0;

// === impl PendingLoad ===

impl PendingLoad {
    /// From now on callers wait for the module's first version, unless there is a current one or one is starting. They do
    /// not wait if there is an old version, which was deleted: the load waits for it, perhaps for ever.
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
        // If its start has begun, `Starting` says when that is over.
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
    /// Modules that have started wait for another one of their set.
    pub(crate) fn add_set(&self, from: impl Iterator<Item = Arc<str>>, to: &Arc<str>) -> WaitEdge<'_> {
        let from: Vec<Arc<str>> = from.collect();
        self.by_module.lock().extend(from.iter().map(|name| (name.clone(), to.clone())));
        WaitEdge { graph: self, from }
    }

    /// The start of one module waits for another module. None if that would close a cycle.
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
    /// Waits for the first version if it is starting. Returns at once if there is a current version, or none is coming.
    pub(crate) fn wait_for_first_version(&self, patience: Duration) {
        if !self.is_first_starting() {
            return;
        }
        let deadline = Instant::now().checked_add(patience);
        drop(self.wait_for(deadline, |state| state.current().is_some() || state.starting().is_none()));
    }

    /// Whether the first version is starting.
    pub(crate) fn is_first_starting(&self) -> bool {
        let state = self.state();
        state.current().is_none() && state.starting().is_some()
    }
}
