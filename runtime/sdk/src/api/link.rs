//! Calling other modules, through the host.

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

/// Calls another module, or this one: always its current version. Cheap to clone, and can be used from any thread.
///
/// Each call is counted like any other: the version that answers stays until it has, whatever is loaded meanwhile. Modules may
/// call each other in circles; how deep is up to the thread's stack.
#[derive(Clone)]
pub struct ModuleHandle {
    link: Arc<Link>,
}

/// Calls another module through a typed interface: always its current version. Cheap to clone, and can be used from any thread.
pub struct InterfaceHandle<I> {
    link: Arc<Link>,
    interface: PhantomData<fn() -> I>,
}

/// What the host gave us for another module; given back when it is dropped.
struct Link {
    module: String,
    raw: *const segue_abi::Link,
    host: &'static HostRef,
}

// SAFETY: the host's functions take a link on any thread, and on many at once.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

// === impl Link ===

impl Link {
    /// Asks the host for a link: to an interface of a module, or, where none is named, to its `handle`.
    fn to(module: &str, interface: Option<&'static InterfaceRef>) -> Result<Arc<Self>, Fault> {
        let host = attached::attached().ok_or_else(|| {
            Fault::new("there is no host here: other modules can be called in a runtime only")
        })?;
        let interface = interface.map_or(ptr::null(), ptr::from_ref);
        let mut failure = Failure::default();
        // SAFETY: the host is valid while code of this image runs; the description is a constant of this image, and all links
        // end before it has gone.
        let raw = unsafe { host.vtable.link()(host.context, module.into(), interface, failure.sink()) };
        if raw.is_null() {
            let reason = failure.refused.as_deref().unwrap_or("the host refuses a link");
            return Err(Fault::new(format!("module {module:?}: {reason}")));
        }
        Ok(Arc::new(Link { module: module.to_owned(), raw, host }))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // SAFETY: the link came from this host, and nobody has it any more.
        unsafe { self.host.vtable.unlink()(self.host.context, self.raw) };
    }
}

// === impl ModuleHandle ===

impl ModuleHandle {
    pub(crate) fn to(module: &str) -> Result<Self, Fault> {
        Link::to(module, None).map(|link| ModuleHandle { link })
    }

    /// The module that is called.
    pub fn name(&self) -> &str {
        &self.link.module
    }

    /// Calls with `GET`. The target is a path, and after a question mark a query.
    ///
    /// # Errors
    ///
    /// Where the module has no current version, and where it fails or panics.
    pub fn get(&self, target: &str) -> Result<Answer, CallError> {
        self.call("GET", target, b"")
    }

    /// Calls with any method and body.
    ///
    /// # Errors
    ///
    /// As for [`get`](ModuleHandle::get).
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> Result<Answer, CallError> {
        self.send(&request::to(method, target, body))
    }

    /// Passes a request on as it came.
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
        // SAFETY: the link is this host's and not ended; reply and sink live until the function returns.
        let is_answered =
            unsafe { host.vtable.call()(host.context, raw, request, answer.raw(), failure.sink()) };
        if is_answered { Ok(answer) } else { Err(failure.into_error(&self.link.module)) }
    }
}

// === impl InterfaceHandle ===

impl<I: Interface> InterfaceHandle<I> {
    pub(crate) fn to(module: &str) -> Result<Self, Fault> {
        Link::to(module, Some(const { &I::INTERFACE }))
            .map(|link| InterfaceHandle { link, interface: PhantomData })
    }

    /// The module that is called.
    pub fn name(&self) -> &str {
        &self.link.module
    }

    /// Enters the current version of the module, and runs `visit` inside; all calls that it makes go to that version, which
    /// stays until it returns.
    ///
    /// # Errors
    ///
    /// Where the module has no current version, and whatever `visit` answers.
    ///
    /// # Panics
    ///
    /// Where `visit` panics. A panic of the module that is called is an error of that method.
    pub fn enter<R>(&self, visit: impl FnOnce(&I) -> Result<R, CallError>) -> Result<R, CallError> {
        let mut frame = Frame { visit: Some(visit), result: None, interface: PhantomData };
        let mut failure = Failure::default();
        let visitor = frame.visitor();
        let Link { raw, host, .. } = *self.link;
        // SAFETY: the link is this host's and not ended; frame and sink live until the function returns.
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

/// What a visitor takes in, and brings back.
struct Frame<I, R, F> {
    visit: Option<F>,
    result: Option<thread::Result<Result<R, CallError>>>,
    interface: PhantomData<fn() -> I>,
}

impl<I: Interface, R, F: FnOnce(&I) -> Result<R, CallError>> Frame<I, R, F> {
    /// For one call of the host; valid while `self` is borrowed for it.
    fn visitor(&mut self) -> Visitor {
        Visitor { argument: (&raw mut *self).cast(), enter: enter::<I, R, F> }
    }
}

/// # Safety
///
/// As [`Visitor`] says; the argument is a [`Frame`], and the host has checked the interface.
unsafe extern "C" fn enter<I: Interface, R, F: FnOnce(&I) -> Result<R, CallError>>(
    argument: *mut c_void,
    entered: &Entered,
) {
    // SAFETY: our caller's promise.
    let frame = unsafe { &mut *argument.cast::<Frame<I, R, F>>() };
    let Some(visit) = frame.visit.take() else { return };
    let origin = Origin { failed, context: entered.visit.cast() };
    // SAFETY: the host checked the table against this interface, and keeps the version until we return; so does the origin, and
    // nobody can take the value out of the borrow that `visit` gets.
    let module = unsafe { I::from_raw(Raw::new(entered.state, entered.table, &raw const origin)) };
    // A panic must not pass through the host: it goes on when we are out.
    frame.result = Some(catch_unwind(AssertUnwindSafe(|| visit(&module))));
}

/// # Safety
///
/// The origin is that of a visit that goes on, on this thread.
unsafe fn failed(origin: &Origin, outcome: Outcome) -> CallError {
    let mut failure = Failure::default();
    if let Some(host) = attached::attached() {
        let visit: *const Visit = origin.context.cast();
        // SAFETY: our caller's promise; the sink lives until the function returns.
        unsafe { host.vtable.failure()(host.context, visit, outcome, failure.sink()) };
    }
    failure.into_error("")
}
