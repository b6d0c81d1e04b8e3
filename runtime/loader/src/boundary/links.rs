//! Links: the host's side of a module's access to other modules.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use segue_abi::{Entered, FailureKind, FailureRef, FailureSink, ReplyRef, RequestRef, Visitor};
use segue_interface::{CallError, CallFailure};

use crate::boundary::{implementation::FoundInterface, interface::RevokeLayouts, reply::ReplyBuffer};

/// A module's access to another module, which the embedding host implements. Many threads use it at once. It
/// is dropped when the module drops its link or is unloaded.
pub trait LinkTarget: Send + Sync {
    /// Sends a request to the current version.
    ///
    /// # Errors
    ///
    /// If there is no current version, or if it fails or panics.
    fn call(&self, request: &RequestRef<'_>) -> Result<ReplyBuffer, CallError>;

    /// Enters the current version, calls `visit` once with the requested interface, and leaves the version.
    ///
    /// # Errors
    ///
    /// If there is no current version. Then `visit` was not called.
    fn visit(&self, visit: &mut dyn FnMut(&FoundInterface<'_>)) -> Result<(), CallError>;
}

/// The links of one image.
#[derive(Default)]
pub(crate) struct Links {
    /// By address. The module has the address as its link.
    open: Mutex<BTreeMap<usize, Arc<OpenLink>>>,
}

/// An open link of a module.
pub(crate) struct OpenLink {
    link: Box<dyn LinkTarget>,
    /// The layouts in the module's image that the link's interface is checked against. They are revoked when
    /// the link is closed.
    layouts: Option<RevokeLayouts>,
}

// === impl Links ===

impl Links {
    pub(crate) fn open(&self, link: Box<dyn LinkTarget>, layouts: Option<RevokeLayouts>) -> *const OpenLink {
        let open = Arc::new(OpenLink { link, layouts });
        let address = Arc::as_ptr(&open);
        self.open.lock().insert(address.addr(), open);
        address
    }

    pub(crate) fn close(&self, link: *const OpenLink) {
        // Outside the lock, because the drop runs code of the host.
        let closed = self.open.lock().remove(&link.addr());
        drop(closed);
    }

    /// Closes all links that the module has not closed. None of its code runs any more.
    pub(crate) fn close_all(&self) {
        let all = std::mem::take(&mut *self.open.lock());
        drop(all);
    }
}

// === impl OpenLink ===

impl OpenLink {
    /// Calls the target, and writes the answer to `reply` or the error to `failed`. Returns whether the call
    /// succeeded.
    pub(crate) fn call(&self, request: &RequestRef<'_>, reply: ReplyRef, failed: FailureSink) -> bool {
        match self.link.call(request) {
            Ok(answer) => {
                // SAFETY: the calling module created the reply for this call.
                unsafe { answer.write_to(reply) };
                true
            }
            Err(error) => {
                report_failure(&error, failed);
                false
            }
        }
    }

    pub(crate) fn visit(&self, visitor: Visitor, failed: FailureSink) {
        let mut visit = |found: &FoundInterface<'_>| {
            // The module calls through any table that it gets, so this checks that the host passed the right
            // one.
            let requested = self.layouts.as_ref().map(RevokeLayouts::layouts);
            if !requested.is_some_and(|layouts| found.was_checked_against(layouts)) {
                return report_refusal("the host passed another interface than the one requested", failed);
            }
            let entered =
                Entered { state: found.state, table: found.table, visit: std::ptr::from_ref(found).cast() };
            // SAFETY: it is the visitor's own argument, during the call that passed it, and the functions
            // were just checked to be those of the requested interface.
            unsafe { (visitor.enter)(visitor.argument, &entered) };
        };
        if let Err(error) = self.link.visit(&mut visit) {
            report_failure(&error, failed);
        }
    }
}

/// Passes an error to a module.
pub(crate) fn report_failure(error: &CallError, failed: FailureSink) {
    let none = empty_failure();
    let failure = match error.failure() {
        CallFailure::NoCurrent { module } => {
            FailureRef { kind: FailureKind::NoCurrent, module: module.as_str().into(), ..none }
        }
        CallFailure::NotExported { module, interface } => FailureRef {
            kind: FailureKind::NotExported,
            module: module.as_str().into(),
            text: interface.as_str().into(),
            ..none
        },
        CallFailure::Cancelled { module, version } => FailureRef {
            kind: FailureKind::Cancelled,
            module: module.as_str().into(),
            version: version.version.as_str().into(),
            generation: version.generation,
            ..none
        },
        CallFailure::Fault { module, version, text } => FailureRef {
            kind: FailureKind::Fault,
            module: module.as_str().into(),
            version: version.version.as_str().into(),
            generation: version.generation,
            text: text.as_str().into(),
            ..none
        },
        CallFailure::Panicked { module, version, message, file, line } => FailureRef {
            kind: FailureKind::Panicked,
            module: module.as_str().into(),
            version: version.version.as_str().into(),
            generation: version.generation,
            text: message.as_str().into(),
            file: file.as_str().into(),
            line: *line,
        },
        // Later kinds: only the text.
        _ => return report_refusal(&error.to_string(), failed),
    };
    // SAFETY: it is the sink's own argument, during the call that passed it.
    unsafe { (failed.take)(failed.argument, &failure) };
}

/// Passes the host's reason for a refusal to a module.
pub(crate) fn report_refusal(reason: &str, failed: FailureSink) {
    let refusal = FailureRef { text: reason.into(), ..empty_failure() };
    // SAFETY: it is the sink's own argument, during the call that passed it.
    unsafe { (failed.take)(failed.argument, &refusal) };
}

/// A refusal without text.
fn empty_failure<'a>() -> FailureRef<'a> {
    FailureRef {
        kind: FailureKind::Refused,
        module: "".into(),
        version: "".into(),
        generation: 0,
        text: "".into(),
        file: "".into(),
        line: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, ffi::c_void, ptr};

    use segue_interface::VersionId;

    use super::*;
    use crate::boundary::{implementation::ImageOrigin, interface::Expected};

    /// A host that always passes the same interface.
    struct FixedInterface(FoundInterface<'static>);

    impl LinkTarget for FixedInterface {
        fn call(&self, _: &RequestRef<'_>) -> Result<ReplyBuffer, CallError> {
            Err(CallFailure::NoCurrent { module: String::new() }.into())
        }

        fn visit(&self, visit: &mut dyn FnMut(&FoundInterface<'_>)) -> Result<(), CallError> {
            visit(&self.0);
            Ok(())
        }
    }

    unsafe extern "C" fn enter(argument: *mut c_void, _: &Entered) {
        // SAFETY: the test below passes a flag.
        unsafe { &*argument.cast::<Cell<bool>>() }.set(true);
    }

    unsafe extern "C" fn take(argument: *mut c_void, failure: &FailureRef<'_>) {
        assert_eq!(failure.kind, FailureKind::Refused);
        // SAFETY: the test below passes a flag.
        unsafe { &*argument.cast::<Cell<bool>>() }.set(true);
    }

    #[test]
    fn a_visitor_gets_only_the_interface_that_it_requested() {
        let interface_named = |name: &'static str| {
            let interface = segue_abi::InterfaceRef { name: name.into(), methods: (&[][..]).into() };
            Expected::new(&interface)
        };
        let (requested, other) = (interface_named("Pricing"), interface_named("Stock"));
        let version = VersionId { version: "1.0.0".to_owned(), generation: 1 };
        // Leaked, because the interfaces borrow it.
        let origin: &'static ImageOrigin = Box::leak(Box::new(ImageOrigin::new("shop", version)));
        for (checked_against, is_entered) in [(&requested, true), (&other, false)] {
            let found = FoundInterface::new(ptr::null(), ptr::null(), origin.origin(), checked_against);
            let link = OpenLink {
                link: Box::new(FixedInterface(found)),
                layouts: Some(RevokeLayouts::of(requested.layouts())),
            };
            let (entered, refused) = (Cell::new(false), Cell::new(false));
            let argument = |flag: &Cell<bool>| ptr::from_ref(flag).cast_mut().cast::<c_void>();
            let visitor = Visitor { argument: argument(&entered), enter };
            link.visit(visitor, FailureSink { argument: argument(&refused), take });
            assert_eq!((entered.get(), refused.get()), (is_entered, !is_entered));
        }
    }
}
