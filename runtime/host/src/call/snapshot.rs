//! All modules as they are at one moment: for whoever must not meet one module as it was before a release, and another as it is after.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use segue_interface::Interface;
use segue_interface::{CallError, CallFailure, VersionId};

use crate::{
    api::{Reply, Request},
    call::{
        handle::OwnedCallGuard,
        interface::{InterfaceHandle, missing_in},
    },
    module::{Module, state::PublishLock},
};

/// All modules of a runtime as they were at one moment. Calls through it, and the calls that modules make from within these, go to the
/// versions of that moment, also when others have become current since.
///
/// A set that is loaded as one ([`Runtime::load_set`]) is in it whole or not at all.
///
/// # What it costs, and what it keeps
///
/// Making one enters every module that has a current version, with an owned guard each: some tens of nanoseconds a module, on lines that
/// threads share; and it reads a lock that is written for the moment of the stores of a publish, so that, unlike any call, it may wait
/// some microseconds for one. While it exists each of these versions is in use, as by a call: once it is old it is not purged, and so the
/// third version of *any* of the modules has to wait. So keep it for one request, and not for a session.
///
/// A thread that a module starts is not in the snapshot of the call that starts it. A module whose first version was loaded later is not
/// in it, and cannot be called.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = segue::Runtime::builder().build()?;
/// let all = runtime.snapshot();
/// let basket = all.call("basket", &segue::Request::get("/1"))?;
/// let price = all.call("pricing", &segue::Request::get("/1"))?; // of the same release as the basket
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    versions: Arc<Versions>,
}

/// By module, who is inside.
type Versions = BTreeMap<Arc<str>, OwnedCallGuard>;

thread_local! {
    /// The snapshot that the calling thread's call was made through, if it was through one.
    static ENTERED: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
}

/// Says while it exists that the calling thread is in a snapshot.
struct Entered {
    before: Option<Snapshot>,
}

// === impl Snapshot ===

impl Snapshot {
    pub(crate) fn take(publish_lock: &PublishLock, modules: &RwLock<BTreeMap<String, Arc<Module>>>) -> Self {
        // Nothing becomes current meanwhile, or ceases to be. Taken before the list: otherwise a set could become current
        // whose new module is not in the list.
        let _still = publish_lock.read();
        let modules: Vec<Arc<Module>> = modules.read().values().cloned().collect();
        let entered = modules.iter().filter_map(|module| {
            let guard = OwnedCallGuard::enter(module)?;
            Some((module.name.clone(), guard))
        });
        Snapshot { versions: Arc::new(entered.collect()) }
    }

    /// The version of a module that is in it.
    pub fn version(&self, module: &str) -> Option<&VersionId> {
        self.versions.get(module).map(OwnedCallGuard::version)
    }

    /// Has a module answer a request, in the version that is in the snapshot.
    ///
    /// # Errors
    ///
    /// Where the module is not in it, and where it fails or panics.
    pub fn call(&self, module: &str, request: &Request<'_>) -> Result<Reply, CallError> {
        let guard = self.versions.get(module).ok_or_else(|| no_current(module))?;
        let _entered = Entered::begin(self);
        guard.call(request)
    }

    /// Calls a module through a typed interface, in the version that is in the snapshot.
    ///
    /// # Errors
    ///
    /// Where the module is not in it, and where its version does not export the interface.
    pub fn through<I: Interface, R>(
        &self,
        handle: &InterfaceHandle<I>,
        call: impl FnOnce(&I) -> R,
    ) -> Result<R, CallError> {
        let guard = self.versions.get(handle.name()).ok_or_else(|| no_current(handle.name()))?;
        let interface = handle.at(guard).ok_or_else(|| missing_in(handle))?;
        let _entered = Entered::begin(self);
        Ok(call(interface))
    }

    /// The guard of a module.
    pub(crate) fn guard(&self, module: &str) -> Result<&OwnedCallGuard, CallError> {
        self.versions.get(module).ok_or_else(|| no_current(module))
    }

    /// The snapshot that the calling thread is in.
    pub(crate) fn entered() -> Option<Snapshot> {
        // Fails only on a thread that is ending, which is in none.
        ENTERED.try_with(|entered| entered.borrow().clone()).ok().flatten()
    }
}

// === impl Entered ===

impl Entered {
    fn begin(snapshot: &Snapshot) -> Self {
        let before = ENTERED.try_with(|entered| entered.replace(Some(snapshot.clone())));
        Entered { before: before.ok().flatten() }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // What it replaces is dropped out of the cell: it may be the last owner, which leaves versions.
        let ended = ENTERED.try_with(|entered| entered.replace(before));
        drop(ended);
    }
}

fn no_current(module: &str) -> CallError {
    CallFailure::NoCurrent { module: module.to_owned() }.into()
}
