//! Calls of a module by requests: handles and guards.

use std::sync::{Arc, atomic::Ordering};

use segue_interface::{CallError, VersionId};
use segue_loader::{
    ReplyBuffer,
    abi::{HeaderRef, RequestRef},
};

use crate::{
    api::{Reply, Request},
    module::{Module, version::Version},
};

/// Calls one module. Each call goes to the version that is current at that moment. A handle is cheap to
/// clone, and any thread can use it.
#[derive(Clone)]
pub struct ModuleHandle {
    module: Arc<Module>,
}

/// A caller inside one version. The version stays in memory until the guard is dropped, and all calls through
/// the guard go to it.
///
/// The guard cannot move to another thread:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<segue::CallGuard<'static>>();
/// ```
///
/// ```
/// fn is_send<T: Send>() {}
/// is_send::<segue::ModuleHandle>();
/// ```
pub struct CallGuard<'a> {
    guard: segue_core::CallGuard<'a, Version>,
}

/// A caller inside one version that may move to another thread, for calls of async tasks. The version stays
/// in memory until the guard is dropped, on any thread.
///
/// It costs a little more than a [`CallGuard`]: it updates two counters that threads share, on entry and on
/// exit.
pub struct OwnedCallGuard {
    guard: segue_core::OwnedCallGuard<Version>,
}

// === impl ModuleHandle ===

impl ModuleHandle {
    pub(crate) fn new(module: Arc<Module>) -> Self {
        ModuleHandle { module }
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        &self.module.name
    }

    /// Enters the current version. If there is one, this never waits for a load, a purge or another caller.
    /// If there is none and the module's first version is starting, it waits for that one, at most for
    /// [`Builder::first_version_timeout`](crate::Builder::first_version_timeout).
    ///
    /// # Errors
    ///
    /// [`CallFailure::NoCurrent`](crate::CallFailure::NoCurrent).
    pub fn enter(&self) -> Result<CallGuard<'_>, CallError> {
        match self.module.cell.enter() {
            Some(guard) => Ok(CallGuard { guard }),
            None => self.enter_after_wait(),
        }
    }

    /// Waits for the first version if it is starting, and then enters.
    #[cold]
    #[inline(never)]
    fn enter_after_wait(&self) -> Result<CallGuard<'_>, CallError> {
        self.module.wait_for_first_version(self.module.first_version_timeout());
        let guard = self.module.cell.enter().ok_or_else(|| self.module.no_current())?;
        Ok(CallGuard { guard })
    }

    /// Enters the current version with a guard that may move to another thread. It waits as
    /// [`enter`](ModuleHandle::enter) does.
    ///
    /// # Errors
    ///
    /// [`CallFailure::NoCurrent`](crate::CallFailure::NoCurrent).
    pub fn enter_owned(&self) -> Result<OwnedCallGuard, CallError> {
        let entered = OwnedCallGuard::enter(&self.module).or_else(|| {
            self.module.wait_for_first_version(self.module.first_version_timeout());
            OwnedCallGuard::enter(&self.module)
        });
        entered.ok_or_else(|| self.module.no_current())
    }

    /// Sends a request to the current version, and returns its reply.
    ///
    /// # Errors
    ///
    /// If there is no current version, or the module returns a fault or panics.
    pub fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        self.enter()?.call(request)
    }
}

// === impl CallGuard ===

impl CallGuard<'_> {
    /// The entered version.
    pub fn version(&self) -> &VersionId {
        &self.guard.info.id
    }

    /// Sends a request to the entered version, and returns its reply.
    ///
    /// # Errors
    ///
    /// If the module returns a fault or panics.
    pub fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        self.guard.answer(request)
    }
}

// === impl OwnedCallGuard ===

impl OwnedCallGuard {
    /// Enters the current version, if there is one.
    pub(crate) fn enter(module: &Module) -> Option<Self> {
        let guard = module.cell.enter_owned()?;
        // Relaxed: only a counter.
        guard.info.owned_guards.fetch_add(1, Ordering::Relaxed);
        Some(OwnedCallGuard { guard })
    }

    /// The guard of the cell.
    pub(crate) fn cell_guard(&self) -> &segue_core::OwnedCallGuard<Version> {
        &self.guard
    }

    /// The entered version.
    pub fn version(&self) -> &VersionId {
        &self.guard.info.id
    }

    /// Sends a request to the entered version, and returns its reply.
    ///
    /// # Errors
    ///
    /// If the module returns a fault or panics.
    pub fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        self.guard.answer(request)
    }
}

impl Drop for OwnedCallGuard {
    fn drop(&mut self) {
        // Relaxed: only a counter. Before the guard is dropped, because the version may be unloaded after
        // that.
        self.guard.info.owned_guards.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Version ===

impl Version {
    fn answer(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        let headers: Vec<HeaderRef<'_>> = request
            .headers
            .iter()
            .map(|(name, value)| HeaderRef { name: (*name).into(), value: (*value).into() })
            .collect();
        let raw = RequestRef {
            method: request.method.into(),
            path: request.path.into(),
            query: request.query.into(),
            headers: headers.as_slice().into(),
            body: request.body.into(),
        };
        let mut reply = ReplyBuffer::new();
        self.image.handle(&raw, &mut reply)?;
        Ok(Reply { status: reply.status, headers: reply.headers, body: reply.body })
    }
}
