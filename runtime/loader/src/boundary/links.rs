//! Links: what a module has of other modules, on the side of the host.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use segue_abi::{Entered, FailureKind, FailureRef, FailureSink, ReplyRef, RequestRef, Visitor};
use segue_interface::{CallError, CallFailure};

use crate::boundary::{implementation::FoundInterface, interface::RevokeLayouts, reply::ReplyBuffer};

/// A module's access to another module, as the embedding host makes it. It is used on many threads at once, and dropped
/// when the module has no use for it any more, or has left.
pub trait LinkTarget: Send + Sync {
    /// Has the current version answer a request.
    ///
    /// # Errors
    ///
    /// Where there is none, and where it fails or panics.
    fn call(&self, request: &RequestRef<'_>) -> Result<ReplyBuffer, CallError>;

    /// Enters the current version, hands `visit` what was asked for of it, once, and leaves it.
    ///
    /// # Errors
    ///
    /// Where there is none; then nothing was handed over.
    fn visit(&self, visit: &mut dyn FnMut(&FoundInterface<'_>)) -> Result<(), CallError>;
}

/// The links of one image.
#[derive(Default)]
pub(crate) struct Links {
    /// By address, which is what the module has.
    open: Mutex<BTreeMap<usize, Arc<OpenLink>>>,
}

/// A link that a module has.
pub(crate) struct OpenLink {
    link: Box<dyn LinkTarget>,
    /// The layouts in the module's image that the link's interface is checked against. They are not looked at any more when the
    /// link has ended.
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
        // Out of the lock: it ends in the host's own code.
        let closed = self.open.lock().remove(&link.addr());
        drop(closed);
    }

    /// Ends all that the module has not ended itself: it is about to leave, and nothing of it runs.
    pub(crate) fn close_all(&self) {
        let all = std::mem::take(&mut *self.open.lock());
        drop(all);
    }
}

// === impl OpenLink ===

impl OpenLink {
    /// Whether it was answered.
    pub(crate) fn call(&self, request: &RequestRef<'_>, reply: ReplyRef, failed: FailureSink) -> bool {
        match self.link.call(request) {
            Ok(answer) => {
                // SAFETY: the reply was made by the module that calls, for this call.
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
        let mut visit = |reached: &FoundInterface<'_>| {
            // The module calls through whatever table it gets. That its link hands over the right one is not left to the host.
            let asked_for = self.layouts.as_ref().map(RevokeLayouts::layouts);
            if !asked_for.is_some_and(|layouts| reached.was_checked_against(layouts)) {
                return report_refusal("the host handed over something else than was asked for", failed);
            }
            let entered = Entered {
                state: reached.state,
                table: reached.table,
                visit: std::ptr::from_ref(reached).cast(),
            };
            // SAFETY: it is the visitor's own argument, during the call that it came with, and the functions are those of the
            // interface that it asked for: we have just looked.
            unsafe { (visitor.enter)(visitor.argument, &entered) };
        };
        if let Err(error) = self.link.visit(&mut visit) {
            report_failure(&error, failed);
        }
    }
}

/// Hands an error to a module.
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
        // Whatever comes to be: its words.
        _ => return report_refusal(&error.to_string(), failed),
    };
    // SAFETY: it is the sink's own argument, during the call that it came with.
    unsafe { (failed.take)(failed.argument, &failure) };
}

/// Hands the host's own reason to a module.
pub(crate) fn report_refusal(reason: &str, failed: FailureSink) {
    let refusal = FailureRef { text: reason.into(), ..empty_failure() };
    // SAFETY: it is the sink's own argument, during the call that it came with.
    unsafe { (failed.take)(failed.argument, &refusal) };
}

/// A refusal without words.
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

    /// A host that hands over what it has, whatever was asked for.
    struct Whatever(FoundInterface<'static>);

    impl LinkTarget for Whatever {
        fn call(&self, _: &RequestRef<'_>) -> Result<ReplyBuffer, CallError> {
            Err(CallFailure::NoCurrent { module: String::new() }.into())
        }

        fn visit(&self, visit: &mut dyn FnMut(&FoundInterface<'_>)) -> Result<(), CallError> {
            visit(&self.0);
            Ok(())
        }
    }

    unsafe extern "C" fn enter(argument: *mut c_void, _: &Entered) {
        // SAFETY: the test below hands in a flag.
        unsafe { &*argument.cast::<Cell<bool>>() }.set(true);
    }

    unsafe extern "C" fn take(argument: *mut c_void, failure: &FailureRef<'_>) {
        assert_eq!(failure.kind, FailureKind::Refused);
        // SAFETY: the test below hands in a flag.
        unsafe { &*argument.cast::<Cell<bool>>() }.set(true);
    }

    #[test]
    fn a_visitor_gets_only_what_was_checked_against_what_it_asked_for() {
        let of_a_name = |name: &'static str| {
            let interface = segue_abi::InterfaceRef { name: name.into(), methods: (&[][..]).into() };
            Expected::new(&interface)
        };
        let (asked_for, other) = (of_a_name("Pricing"), of_a_name("Stock"));
        let version = VersionId { version: "1.0.0".to_owned(), generation: 1 };
        // As long as the test runs, and not longer: nothing of it is called.
        let named: &'static ImageOrigin = Box::leak(Box::new(ImageOrigin::new("shop", version)));
        for (checked_against, is_entered) in [(&asked_for, true), (&other, false)] {
            let reached = FoundInterface::new(ptr::null(), ptr::null(), named.origin(), checked_against);
            let link = OpenLink {
                link: Box::new(Whatever(reached)),
                layouts: Some(RevokeLayouts::of(asked_for.layouts())),
            };
            let (entered, refused) = (Cell::new(false), Cell::new(false));
            let argument = |flag: &Cell<bool>| ptr::from_ref(flag).cast_mut().cast::<c_void>();
            let visitor = Visitor { argument: argument(&entered), enter };
            link.visit(visitor, FailureSink { argument: argument(&refused), take });
            assert_eq!((entered.get(), refused.get()), (is_entered, !is_entered));
        }
    }
}
