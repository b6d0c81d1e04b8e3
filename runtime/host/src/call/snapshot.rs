//! Snapshots: all modules as they are at one moment. A request that uses one never sees one module from
//! before a release and another from after it.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use segue_interface::Interface;
use segue_interface::{CallError, CallFailure, VersionId};

use crate::{
    api::{Reply, Request},
    call::{
        handle::OwnedCallGuard,
        interface::{InterfaceHandle, not_in_snapshot},
    },
    module::{Module, state::PublishLock},
};

/// All modules of a runtime as they were at one moment. Calls through a snapshot, and the calls that modules
/// make during these, go to the versions of that moment, even if other versions have become current since.
///
/// A set that was loaded as one ([`Runtime::load_set`](crate::Runtime::load_set)) is in it completely or not
/// at all.
///
/// # Costs and limits
///
/// * Creating one enters each module that has a current version, with an owned guard. This takes some tens of
///   nanoseconds a module, on cache lines that threads share.
/// * Creating one read-locks a lock that a publish write-locks for the time of its atomic stores. So, unlike
///   a call, it may wait some microseconds for a publish.
/// * While it exists, each of its versions is in use, as during a call. When such a version is old, it is not
///   purged, so the next load of *any* of these modules must wait. Keep a snapshot for one request, not for a
///   session.
/// * A thread that a module starts is not in the snapshot of the call that started it.
/// * A module whose first version was loaded later is not in it, and cannot be called through it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = segue::Runtime::builder().build()?;
/// let all = runtime.snapshot();
/// let basket = all.call("basket", &segue::Request::get("/1"))?;
/// let price = all.call("pricing", &segue::Request::get("/1"))?; // from the same release as the basket
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    versions: Arc<Versions>,
}

/// The guard of each module, by name.
type Versions = BTreeMap<Arc<str>, OwnedCallGuard>;

thread_local! {
    /// The snapshot of the thread's running call, if it has one.
    static ENTERED: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
}

/// Sets the calling thread's snapshot while it exists.
struct EnteredScope {
    before: Option<Snapshot>,
}

// === impl Snapshot ===

impl Snapshot {
    pub(crate) fn take(publish_lock: &PublishLock, modules: &RwLock<BTreeMap<String, Arc<Module>>>) -> Self {
        // No version becomes current, or stops being current, meanwhile. Locked before the list is read:
        // otherwise a set could become current whose new module is not in the list.
        let _publish_lock = publish_lock.read();
        let modules: Vec<Arc<Module>> = modules.read().values().cloned().collect();
        let entered = modules.iter().filter_map(|module| {
            let guard = OwnedCallGuard::enter(module)?;
            Some((module.name.clone(), guard))
        });
        Snapshot { versions: Arc::new(entered.collect()) }
    }

    /// The version of a module in the snapshot.
    pub fn version(&self, module: &str) -> Option<&VersionId> {
        self.versions.get(module).map(OwnedCallGuard::version)
    }

    /// Sends a request to the snapshot's version of a module, and returns the reply.
    ///
    /// # Errors
    ///
    /// If the module is not in the snapshot, returns a fault or panics.
    pub fn call(&self, module: &str, request: &Request<'_>) -> Result<Reply, CallError> {
        let guard = self.versions.get(module).ok_or_else(|| no_current(module))?;
        let _entered = EnteredScope::begin(self);
        guard.call(request)
    }

    /// Calls the snapshot's version of a module through a typed interface.
    ///
    /// # Errors
    ///
    /// If the module is not in the snapshot, or its version does not export the interface.
    pub fn through<I: Interface, R>(
        &self,
        handle: &InterfaceHandle<I>,
        call: impl FnOnce(&I) -> R,
    ) -> Result<R, CallError> {
        let guard = self.versions.get(handle.name()).ok_or_else(|| no_current(handle.name()))?;
        let interface = handle.at(guard).ok_or_else(|| not_in_snapshot(handle))?;
        let _entered = EnteredScope::begin(self);
        Ok(call(interface))
    }

    /// The guard of a module's version.
    pub(crate) fn guard(&self, module: &str) -> Result<&OwnedCallGuard, CallError> {
        self.versions.get(module).ok_or_else(|| no_current(module))
    }

    /// The calling thread's snapshot.
    pub(crate) fn entered() -> Option<Snapshot> {
        // Fails only on a thread that is ending. It has none.
        ENTERED.try_with(|entered| entered.borrow().clone()).ok().flatten()
    }
}

// === impl EnteredScope ===

impl EnteredScope {
    fn begin(snapshot: &Snapshot) -> Self {
        let before = ENTERED.try_with(|entered| entered.replace(Some(snapshot.clone())));
        EnteredScope { before: before.ok().flatten() }
    }
}

impl Drop for EnteredScope {
    fn drop(&mut self) {
        let before = self.before.take();
        // Dropped after the borrow has ended: it may be the last clone, and dropping it leaves its versions.
        let ended = ENTERED.try_with(|entered| entered.replace(before));
        drop(ended);
    }
}

fn no_current(module: &str) -> CallError {
    CallFailure::NoCurrent { module: module.to_owned() }.into()
}
