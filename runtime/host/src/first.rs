//! Waiting for a module's first version, while that is starting.
//!
//! Whoever calls a module that has a current version never waits. But where there is none yet, and the first is in its `on_load`, a
//! caller who comes early waits for it, for a while, instead of being told that there is nobody.
//!
//! That `on_load` may call other modules, whose first version is starting too. Two that wait for each other would wait in vain, so
//! who waits for whom is noted, and whoever would close a circle is told that there is nobody. So is the module's own `on_load`
//! that calls its own module, and that of a member of a set that calls another one: they become current together.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{module::Module, shared::Shared, version::About};

/// Which modules' starts wait for which modules' first versions.
#[derive(Default)]
pub(crate) struct Waits {
    by_module: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

/// Says while it exists that some wait for another.
pub(crate) struct Held<'a> {
    waits: &'a Waits,
    names: Vec<Arc<str>>,
}

/// Says while it exists that a first version of a module is coming, whose start has not begun.
pub(crate) struct Coming {
    module: Arc<Module>,
}

/// What stands for the generation of a version that is coming: no version has it.
const COMING: u64 = 0;

// === impl Coming ===

impl Coming {
    /// From now on callers wait for it, where there is no current version and none is starting. Not where there is an old one, which
    /// was deleted: it is no first then, and its load waits for old, perhaps for ever.
    pub(crate) fn begin(module: &Arc<Module>) -> Self {
        let mut state = module.state();
        if state.current().is_none() && state.old().is_none() && state.starting().is_none() {
            state.begin_start(COMING);
        }
        drop(state);
        Coming { module: module.clone() }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        // Where its start has begun, that says when it is over.
        self.module.state().end_start(COMING);
        self.module.tell_change();
    }
}

// === impl Waits ===

impl Waits {
    /// Notes that these, which have started, wait for another one of their set.
    pub(crate) fn hold(&self, names: impl Iterator<Item = Arc<str>>, on: &Arc<str>) -> Held<'_> {
        let names: Vec<Arc<str>> = names.collect();
        self.by_module.lock().extend(names.iter().map(|name| (name.clone(), on.clone())));
        Held { waits: self, names }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut waits = self.waits.by_module.lock();
        self.names.iter().for_each(|name| drop(waits.remove(name)));
    }
}

// === impl Module ===

impl Module {
    /// Waits for the first version, where that is starting. Returns at once where there is a current version, or none is coming.
    pub(crate) fn await_first(&self, patience: Duration) {
        if !self.is_first_starting() {
            return;
        }
        let deadline = Instant::now().checked_add(patience);
        drop(self.wait_for(deadline, |state| state.current().is_some() || state.starting().is_none()));
    }

    fn is_first_starting(&self) -> bool {
        let state = self.state();
        state.current().is_none() && state.starting().is_some()
    }
}

// === impl Shared ===

/// Waits for the first version of a module, for a module that calls it; unless that is waited for by the first.
pub(crate) fn await_first_for(shared: &Shared, by: &About, module: &Module) {
    if !module.is_first_starting() {
        return;
    }
    let is_in_start = {
        let caller = shared.modules.read().get(&*by.module).cloned();
        caller.is_some_and(|caller| caller.state().starting() == Some(by.id.generation))
    };
    if !is_in_start {
        return module.await_first(shared.limits.first_patience);
    }
    let (from, to) = (by.module.clone(), module.name.clone());
    {
        let mut waits = shared.waits.by_module.lock();
        let mut end = to.clone();
        while end != from {
            match waits.get(&end) {
                Some(next) => end = next.clone(),
                None => break,
            }
        }
        if end == from {
            return;
        }
        waits.insert(from.clone(), to);
    }
    module.await_first(shared.limits.first_patience);
    shared.waits.by_module.lock().remove(&from);
}
