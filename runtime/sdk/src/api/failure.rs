//! The reason why a call to another module failed, as the host reports it.

use std::ffi::c_void;

use segue_abi::{FailureKind, FailureRef, FailureSink};
use segue_interface::{CallError, CallFailure, VersionId};

/// Receives the failure of one call.
#[derive(Default)]
pub(crate) struct Failure {
    error: Option<CallError>,
    /// The host's reason, if it refused the call.
    pub(crate) refusal: Option<String>,
}

impl Failure {
    /// The sink for one call of the host. It is valid while `self` is borrowed for that call.
    pub(crate) fn sink(&mut self) -> FailureSink {
        FailureSink { argument: (&raw mut *self).cast(), take }
    }

    /// The failure that the host reported.
    pub(crate) fn into_error(self, module: &str) -> CallError {
        // A host that reports nothing found no version to call.
        self.error.unwrap_or_else(|| CallFailure::NoCurrent { module: module.to_owned() }.into())
    }
}

/// # Safety
///
/// As [`FailureSink`] requires. The argument is a [`Failure`].
unsafe extern "C" fn take(argument: *mut c_void, failure: &FailureRef<'_>) {
    // SAFETY: our caller's promise; the host calls it on one thread, during the call that the sink was made
    // for.
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
            this.refusal = Some(text);
            return;
        }
    };
    this.error = Some(failure.into());
}
