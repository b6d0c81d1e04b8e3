//! Calls to other modules, through the host.

use std::{
    ffi::c_void,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr,
    sync::Arc,
    thread,
};

use segue_abi::{Entered, HostRef, InterfaceRef, Outcome, RequestRef, Visit, Visitor};
use segue_interface::{
    __private::{Interface, Origin, Raw},
    CallError, Fault,
};

use crate::{
    api::{
        answer::Answer,
        failure::Failure,
        request::{self, Request},
    },
    boundary::attached,
};

/// Calls another module, or this one. Each call goes to the current version. Cheap to clone, and usable from
/// any thread.
///
/// The runtime counts such a call like any other: the version that answers stays in memory until it has
/// answered, even if another version is loaded in the meantime. Modules may call each other recursively; only
/// the thread's stack limits the depth.
#[derive(Clone)]
pub struct ModuleHandle {
    link: Arc<Link>,
}

/// Calls another module through a typed interface. Each call goes to the current version. Cheap to clone, and
/// usable from any thread.
pub struct InterfaceHandle<I> {
    link: Arc<Link>,
    interface: PhantomData<fn() -> I>,
}

/// A link to another module, from the host. It is returned to the host on drop.
struct Link {
    module: String,
    raw: *const segue_abi::Link,
    host: &'static HostRef,
}

// SAFETY: the host's functions accept a link on any thread, and on many threads at once.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

// === impl Link ===

impl Link {
    /// Asks the host for a link to an interface of a module, or to the module's `handle` if `interface` is
    /// `None`.
    fn open(module: &str, interface: Option<&'static InterfaceRef>) -> Result<Arc<Self>, Fault> {
        let host = attached::host().ok_or_else(|| {
            Fault::new("there is no host: a module can call other modules only when a runtime has loaded it")
        })?;
        let interface = interface.map_or(ptr::null(), ptr::from_ref);
        let mut failure = Failure::default();
        // SAFETY: the host is valid while code of this image runs; the description is a constant of this
        // image, and all links are closed before the image is unmapped.
        let raw = unsafe { host.vtable.link()(host.context, module.into(), interface, failure.sink()) };
        if raw.is_null() {
            let reason = failure.refusal.as_deref().unwrap_or("the host refused the link");
            return Err(Fault::new(format!("module {module:?}: {reason}")));
        }
        Ok(Arc::new(Link { module: module.to_owned(), raw, host }))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // SAFETY: the link came from this host, and no copy of it is left.
        unsafe { self.host.vtable.unlink()(self.host.context, self.raw) };
    }
}

// === impl ModuleHandle ===

impl ModuleHandle {
    pub(crate) fn new(module: &str) -> Result<Self, Fault> {
        Link::open(module, None).map(|link| ModuleHandle { link })
    }

    /// The name of the module that is called.
    pub fn name(&self) -> &str {
        &self.link.module
    }

    /// Calls the module with `GET`. `target` is a path, optionally followed by `?` and a query.
    ///
    /// # Errors
    ///
    /// If the module has no current version, and if it fails or panics.
    pub fn get(&self, target: &str) -> Result<Answer, CallError> {
        self.call("GET", target, b"")
    }

    /// Calls the module with any method and body.
    ///
    /// # Errors
    ///
    /// As for [`get`](ModuleHandle::get).
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> Result<Answer, CallError> {
        self.send(&request::new(method, target, body))
    }

    /// Forwards a request unchanged.
    ///
    /// # Errors
    ///
    /// As for [`get`](ModuleHandle::get).
    pub fn forward(&self, request: &Request<'_>) -> Result<Answer, CallError> {
        self.send(request.raw())
    }

    fn send(&self, request: &RequestRef<'_>) -> Result<Answer, CallError> {
        let (mut answer, mut failure) = (Answer::empty(), Failure::default());
        let Link { raw, host, .. } = *self.link;
        // SAFETY: the link is this host's and still open; reply and sink live until the function returns.
        let is_answered =
            unsafe { host.vtable.call()(host.context, raw, request, answer.as_reply(), failure.sink()) };
        if is_answered { Ok(answer) } else { Err(failure.into_error(&self.link.module)) }
    }
}

// === impl InterfaceHandle ===

impl<I: Interface> InterfaceHandle<I> {
    pub(crate) fn new(module: &str) -> Result<Self, Fault> {
        Link::open(module, Some(const { &I::INTERFACE }))
            .map(|link| InterfaceHandle { link, interface: PhantomData })
    }

    /// The name of the module that is called.
    pub fn name(&self) -> &str {
        &self.link.module
    }

    /// Enters the current version of the module and runs `visit`. All calls that `visit` makes go to that
    /// version, which stays in memory until `visit` returns.
    ///
    /// # Errors
    ///
    /// If the module has no current version, and the error that `visit` returns.
    ///
    /// # Panics
    ///
    /// If `visit` panics. A panic of the called module is an error of that method instead.
    pub fn enter<R>(&self, visit: impl FnOnce(&I) -> Result<R, CallError>) -> Result<R, CallError> {
        let mut frame = VisitFrame { visit: Some(visit), result: None, interface: PhantomData };
        let mut failure = Failure::default();
        let visitor = frame.visitor();
        let Link { raw, host, .. } = *self.link;
        // SAFETY: the link is this host's and still open; frame and sink live until the function returns.
        unsafe { host.vtable.visit()(host.context, raw, visitor, failure.sink()) };
        match frame.result {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            None => Err(failure.into_error(&self.link.module)),
        }
    }
}

impl<I> Clone for InterfaceHandle<I> {
    fn clone(&self) -> Self {
        InterfaceHandle { link: self.link.clone(), interface: PhantomData }
    }
}

/// The closure that a visit runs, and its result.
struct VisitFrame<I, R, F> {
    visit: Option<F>,
    result: Option<thread::Result<Result<R, CallError>>>,
    interface: PhantomData<fn() -> I>,
}

impl<I: Interface, R, F: FnOnce(&I) -> Result<R, CallError>> VisitFrame<I, R, F> {
    /// The visitor for one call of the host. It is valid while `self` is borrowed for that call.
    fn visitor(&mut self) -> Visitor {
        Visitor { argument: (&raw mut *self).cast(), enter: enter::<I, R, F> }
    }
}

/// # Safety
///
/// As [`Visitor`] requires. The argument is a [`VisitFrame`], and the host has checked the interface.
unsafe extern "C" fn enter<I: Interface, R, F: FnOnce(&I) -> Result<R, CallError>>(
    argument: *mut c_void,
    entered: &Entered,
) {
    // SAFETY: our caller's promise.
    let frame = unsafe { &mut *argument.cast::<VisitFrame<I, R, F>>() };
    let Some(visit) = frame.visit.take() else { return };
    let origin = Origin { failed, context: entered.visit.cast() };
    // SAFETY: the host checked the table against this interface, and keeps the version until we return; the
    // origin lives as long, and `visit` cannot move the value out of the borrow that it gets.
    let module = unsafe { I::from_raw(Raw::new(entered.state, entered.table, &raw const origin)) };
    // A panic must not unwind through the host. `InterfaceHandle::enter` resumes it.
    frame.result = Some(catch_unwind(AssertUnwindSafe(|| visit(&module))));
}

/// # Safety
///
/// The origin is that of a visit that is in progress on this thread.
unsafe fn failed(origin: &Origin, outcome: Outcome) -> CallError {
    let mut failure = Failure::default();
    if let Some(host) = attached::host() {
        let visit: *const Visit = origin.context.cast();
        // SAFETY: our caller's promise; the sink lives until the function returns.
        unsafe { host.vtable.failure()(host.context, visit, outcome, failure.sink()) };
    }
    failure.into_error("")
}
