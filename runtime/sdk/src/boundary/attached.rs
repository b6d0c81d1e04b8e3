//! The host that this image is attached to.

use std::{any::Any, sync::OnceLock};

use segue_abi::HostRef;
use segue_interface::__private as interface;

/// The table of the host's functions, for the parts of the SDK that need it.
struct Attached(HostRef);

// SAFETY: the table's functions may be called from any thread, with that context, as segue_abi::HostVTable promises.
unsafe impl Send for Attached {}
// SAFETY: as above; a HostRef is never changed.
unsafe impl Sync for Attached {}

static ATTACHED: OnceLock<Attached> = OnceLock::new();

/// Keeps the host for [`attached`].
///
/// # Safety
///
/// `host` must be valid for as long as code of this image can run.
pub(crate) unsafe fn attach(host: HostRef, tell_untold: fn(&(dyn Any + Send))) {
    // SAFETY: our caller's promise; and the heap is good for as long as the process runs.
    unsafe { interface::attach_heap(host.heap) };
    interface::attach_failures(tell_fault, tell_untold);
    // A second host is not possible: `ModuleRoot::attach` is called once.
    let _ = ATTACHED.set(Attached(host));
}

/// The host, where this image was attached to one: not in constructors, and not in a unit test.
pub(crate) fn attached() -> Option<&'static HostRef> {
    ATTACHED.get().map(|attached| &attached.0)
}

/// Whether what runs in this image is asked to come to its end.
pub(crate) fn is_cancelled() -> bool {
    // SAFETY: the host is valid while code of this image runs.
    attached().is_some_and(|host| unsafe { host.vtable.is_cancelled()(host.context) })
}

/// Takes the text of a method's fault to the host.
fn tell_fault(text: &str) {
    if let Some(host) = attached() {
        // SAFETY: the host is valid while code of this image runs, and copies what it is given.
        unsafe { host.vtable.faulted()(host.context, text.into()) };
    }
}
