//! An interface of one image: what a caller inside it calls.

use std::{marker::PhantomData, ops::Deref, ptr, sync::Arc};

use segue_abi::{MethodTable, ModuleState, Outcome};
use segue_interface::{
    __private::{Origin, Raw},
    CallError, CallFailure, Interface, VersionId,
};

use crate::{
    boundary::{
        failure::take_failure,
        interface::{Expected, Layouts},
    },
    error::CallFault,
};

/// An interface of one image, which can be called for as long as the image is borrowed.
///
/// Unlike the interface's own type it can be shared between threads; they call it through a reference.
pub struct Implementation<'a, I> {
    interface: I,
    image: PhantomData<&'a ()>,
}

// SAFETY: an interface's type is three pointers that are only read: it promises that. The functions behind it may be called from any thread, with
// the state of a module, which is Send and Sync.
unsafe impl<I: Interface> Send for Implementation<'_, I> {}
// SAFETY: as above.
unsafe impl<I: Interface> Sync for Implementation<'_, I> {}

/// The same, of an interface that another module was compiled with and this program does not know.
#[derive(Clone, Copy)]
pub struct FoundInterface<'a> {
    pub(crate) state: *const ModuleState,
    pub(crate) table: *const MethodTable,
    pub(crate) origin: &'a Origin,
    /// What the functions were checked against. Only compared.
    checked_against: *const Layouts,
}

// SAFETY: as for an `Implementation`; an origin is only read, and layouts not even that.
unsafe impl Send for FoundInterface<'_> {}
// SAFETY: as above.
unsafe impl Sync for FoundInterface<'_> {}

/// What is told of an image's failures.
pub(crate) struct ImageOrigin {
    origin: Origin,
    /// What `origin` points at.
    about: Arc<OriginInfo>,
}

struct OriginInfo {
    module: String,
    version: VersionId,
}

// SAFETY: the pointer in `origin` is to what `about` keeps, and is only read.
unsafe impl Send for ImageOrigin {}
// SAFETY: as above.
unsafe impl Sync for ImageOrigin {}

// === impl Reached ===

impl<'a> FoundInterface<'a> {
    /// What was reached in an image, after the functions were checked against what is expected of them.
    pub(crate) fn new(
        state: *const ModuleState,
        table: *const MethodTable,
        origin: &'a Origin,
        expected: &Expected,
    ) -> Self {
        FoundInterface { state, table, origin, checked_against: Arc::as_ptr(expected.layouts()) }
    }

    /// Whether the functions were checked against these. They are kept by whoever asks, so no others have had their place.
    pub(crate) fn was_checked_against(&self, layouts: &Arc<Layouts>) -> bool {
        ptr::eq(self.checked_against, Arc::as_ptr(layouts))
    }

    /// # Safety
    ///
    /// The functions were checked against `I`.
    pub(crate) unsafe fn as_interface<I: Interface>(self) -> Implementation<'a, I> {
        // SAFETY: our caller's promise; and they can be called for as long as the image is borrowed, which is 'a.
        let interface = unsafe { I::from_raw(Raw::new(self.state, self.table, self.origin)) };
        Implementation { interface, image: PhantomData }
    }

    /// Why a method was not done that has just ended on this thread.
    pub(crate) fn failed(&self, outcome: Outcome) -> CallError {
        // SAFETY: it is the origin that it is in.
        unsafe { (self.origin.failed)(self.origin, outcome) }
    }
}

// === impl Implementation ===

impl<I> Deref for Implementation<'_, I> {
    type Target = I;

    #[inline(always)]
    fn deref(&self) -> &I {
        &self.interface
    }
}

// === impl About ===

impl OriginInfo {
    fn error(&self, fault: CallFault) -> CallError {
        let (module, version) = (self.module.clone(), self.version.clone());
        match fault {
            CallFault::Fault { text } => CallFailure::Fault { module, version, text }.into(),
            CallFault::Panicked { message, file, line } => {
                CallFailure::Panicked { module, version, message, file, line }.into()
            }
        }
    }
}

// === impl Named ===

impl ImageOrigin {
    pub(crate) fn new(module: &str, version: VersionId) -> Self {
        let about = Arc::new(OriginInfo { module: module.to_owned(), version });
        ImageOrigin { origin: Origin { failed, context: Arc::as_ptr(&about).cast() }, about }
    }

    /// The error of a call of this image that ended so.
    pub(crate) fn error(&self, fault: CallFault) -> CallError {
        self.about.error(fault)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// # Safety
///
/// The origin is that of a [`ImageOrigin`].
unsafe fn failed(origin: &Origin, outcome: Outcome) -> CallError {
    // SAFETY: our caller's promise: the `ImageOrigin` keeps it.
    let about = unsafe { &*origin.context.cast::<OriginInfo>() };
    about.error(take_failure(outcome))
}
