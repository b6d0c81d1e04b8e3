//! Why a call into another module has no answer: taken over from the host.

use std::ffi::c_void;

use segue_abi::{FailureKind, FailureRef, FailureSink};
use segue_interface::{CallError, CallFailure, VersionId};

/// Takes one failure.
#[derive(Default)]
pub(crate) struct Failure {
    taken: Option<CallError>,
    /// The host's reason, where it refuses.
    pub(crate) refused: Option<String>,
}

impl Failure {
    /// The sink for one call of the host; valid while `self` is borrowed for it.
    pub(crate) fn sink(&mut self) -> FailureSink {
        FailureSink { argument: (&raw mut *self).cast(), take }
    }

    /// What the host told.
    pub(crate) fn into_error(self, module: &str) -> CallError {
        // A host that tells nothing had nobody to call.
        self.taken.unwrap_or_else(|| CallFailure::NoCurrent { module: module.to_owned() }.into())
    }
}

/// # Safety
///
/// As [`FailureSink`] says; the argument is a [`Failure`].
unsafe extern "C" fn take(argument: *mut c_void, failure: &FailureRef<'_>) {
    // SAFETY: our caller's promise; the host calls it on one thread, during the call that the sink was made for.
    let this = unsafe { &mut *argument.cast::<Failure>() };
    let module = failure.module.as_str().to_owned();
    let text = failure.text.as_str().to_owned();
    let version = VersionId { version: failure.version.as_str().to_owned(), generation: failure.generation };
    let failure = match failure.kind {
        FailureKind::NoCurrent => CallFailure::NoCurrent { module },
        FailureKind::NotExported => CallFailure::NotExported { module, interface: text },
        FailureKind::Cancelled => CallFailure::Cancelled { module, version },
        FailureKind::Fault => CallFailure::Fault { module, version, text },
        FailureKind::Panicked => {
            let file = failure.file.as_str().to_owned();
            CallFailure::Panicked { module, version, message: text, file, line: failure.line }
        }
        FailureKind::Refused => {
            this.refused = Some(text);
            return;
        }
    };
    this.taken = Some(failure.into());
}
