//! Calling a module.

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

/// Calls one module: always its current version. Cheap to clone, and can be used from any thread.
#[derive(Clone)]
pub struct ModuleHandle {
    module: Arc<Module>,
}

/// A caller inside one version: that version stays until the guard is dropped, and all calls through the guard go to it.
///
/// It belongs to the thread that entered:
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

/// A caller inside one version, who may move to another thread: for a call that a task makes. That version stays until the
/// guard is dropped, wherever that is.
///
/// It costs a little more than a [`CallGuard`]: two counters that threads share, each of them on the way in and on the way out.
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

    /// Enters the current version. Where there is one it never waits: not for a load, not for a purge, not for other callers. Where
    /// there is none and the module's first version is starting, it waits for that, for a while
    /// ([`Builder::first_version_timeout`](crate::Builder::first_version_timeout)).
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

    /// Where there is no current version: waits for the first, where that is starting.
    #[cold]
    #[inline(never)]
    fn enter_after_wait(&self) -> Result<CallGuard<'_>, CallError> {
        self.module.wait_for_first_version(self.module.first_version_timeout());
        let guard = self.module.cell.enter().ok_or_else(|| self.module.no_current())?;
        Ok(CallGuard { guard })
    }

    /// Enters the current version with a guard that may move to another thread. It waits as [`enter`](ModuleHandle::enter) does.
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

    /// Has the current version answer a request.
    ///
    /// # Errors
    ///
    /// Where there is no current version, and where the module fails or panics.
    pub fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        self.enter()?.call(request)
    }
}

// === impl CallGuard ===

impl CallGuard<'_> {
    /// The version that was entered.
    pub fn version(&self) -> &VersionId {
        &self.guard.info.id
    }

    /// Has the version that was entered answer a request.
    ///
    /// # Errors
    ///
    /// Where the module fails or panics.
    pub fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        self.guard.answer(request)
    }
}

// === impl OwnedCallGuard ===

impl OwnedCallGuard {
    /// Enters the current version, where there is one.
    pub(crate) fn enter(module: &Module) -> Option<Self> {
        let guard = module.cell.enter_owned()?;
        // Relaxed: only counted.
        guard.info.owned_guards.fetch_add(1, Ordering::Relaxed);
        Some(OwnedCallGuard { guard })
    }

    /// The cell's own guard.
    pub(crate) fn cell_guard(&self) -> &segue_core::OwnedCallGuard<Version> {
        &self.guard
    }

    /// The version that was entered.
    pub fn version(&self) -> &VersionId {
        &self.guard.info.id
    }

    /// Has the version that was entered answer a request.
    ///
    /// # Errors
    ///
    /// Where the module fails or panics.
    pub fn call(&self, request: &Request<'_>) -> Result<Reply, CallError> {
        self.guard.answer(request)
    }
}

impl Drop for OwnedCallGuard {
    fn drop(&mut self) {
        // Relaxed: only counted. Before the guard goes, and with it perhaps the version.
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
