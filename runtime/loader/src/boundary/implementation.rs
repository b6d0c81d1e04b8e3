//! An interface of one image, as its callers use it.

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

/// An interface of one image. It can be called while the image is borrowed.
///
/// Unlike the interface's own type, it can be shared between threads, which call it through a reference.
pub struct Implementation<'a, I> {
    interface: I,
    image: PhantomData<&'a ()>,
}

// SAFETY: an interface's type guarantees that it is three pointers that are only read. Its functions may be
// called from any thread with the state of a module, which is Send and Sync.
unsafe impl<I: Interface> Send for Implementation<'_, I> {}
// SAFETY: as above.
unsafe impl<I: Interface> Sync for Implementation<'_, I> {}

/// An interface of one image that another module was compiled with and this program does not know.
#[derive(Clone, Copy)]
pub struct FoundInterface<'a> {
    pub(crate) state: *const ModuleState,
    pub(crate) table: *const MethodTable,
    pub(crate) origin: &'a Origin,
    /// The layouts that the functions were checked against. Only compared.
    checked_against: *const Layouts,
}

// SAFETY: as for an `Implementation`. An origin is only read, and the pointer to layouts is never followed.
unsafe impl Send for FoundInterface<'_> {}
// SAFETY: as above.
unsafe impl Sync for FoundInterface<'_> {}

/// Names the image in the errors of its calls.
pub(crate) struct ImageOrigin {
    origin: Origin,
    /// The data that `origin` points to.
    info: Arc<OriginInfo>,
}

struct OriginInfo {
    module: String,
    version: VersionId,
}

// SAFETY: the pointer in `origin` points to data that `info` keeps alive, and is only read.
unsafe impl Send for ImageOrigin {}
// SAFETY: as above.
unsafe impl Sync for ImageOrigin {}

// === impl FoundInterface ===

impl<'a> FoundInterface<'a> {
    /// An interface whose functions were checked against the expected interface.
    pub(crate) fn new(
        state: *const ModuleState,
        table: *const MethodTable,
        origin: &'a Origin,
        expected: &Expected,
    ) -> Self {
        FoundInterface { state, table, origin, checked_against: Arc::as_ptr(expected.layouts()) }
    }

    /// Whether the functions were checked against these layouts. The caller keeps them alive, so no others
    /// can have their address.
    pub(crate) fn was_checked_against(&self, layouts: &Arc<Layouts>) -> bool {
        ptr::eq(self.checked_against, Arc::as_ptr(layouts))
    }

    /// # Safety
    ///
    /// The functions must have been checked against `I`.
    pub(crate) unsafe fn as_interface<I: Interface>(self) -> Implementation<'a, I> {
        // SAFETY: guaranteed by the caller. The functions can be called while the image is borrowed, which is
        // 'a.
        let interface = unsafe { I::from_raw(Raw::new(self.state, self.table, self.origin)) };
        Implementation { interface, image: PhantomData }
    }

    /// The error of a method that has just failed on this thread.
    pub(crate) fn failed(&self, outcome: Outcome) -> CallError {
        // SAFETY: the function gets the origin that contains it.
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

// === impl OriginInfo ===

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

// === impl ImageOrigin ===

impl ImageOrigin {
    pub(crate) fn new(module: &str, version: VersionId) -> Self {
        let info = Arc::new(OriginInfo { module: module.to_owned(), version });
        ImageOrigin { origin: Origin { failed, context: Arc::as_ptr(&info).cast() }, info }
    }

    /// The error of a call of this image.
    pub(crate) fn error(&self, fault: CallFault) -> CallError {
        self.info.error(fault)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// # Safety
///
/// The origin must belong to an [`ImageOrigin`].
unsafe fn failed(origin: &Origin, outcome: Outcome) -> CallError {
    // SAFETY: guaranteed by the caller: the `ImageOrigin` keeps it alive.
    let info = unsafe { &*origin.context.cast::<OriginInfo>() };
    info.error(take_failure(outcome))
}
