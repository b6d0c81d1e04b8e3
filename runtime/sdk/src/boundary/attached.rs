//! The host to which this image is attached.

use std::{any::Any, sync::OnceLock};

use segue_abi::HostRef;
use segue_interface::__private as interface;

/// The table of the host's functions.
struct Attached(HostRef);

// SAFETY: the table's functions may be called from any thread, with that context, as segue_abi::HostVTable
// promises.
unsafe impl Send for Attached {}
// SAFETY: as above; a HostRef never changes.
unsafe impl Sync for Attached {}

static ATTACHED: OnceLock<Attached> = OnceLock::new();

/// Stores the host for [`host`]. `report_panic` is called for a panic of a method of a typed interface.
///
/// # Safety
///
/// `host` must be valid for as long as code of this image can run.
pub(crate) unsafe fn attach(host: HostRef, report_panic: fn(&(dyn Any + Send))) {
    // SAFETY: our caller's promise; and the heap is valid for as long as the process runs.
    unsafe { interface::attach_heap(host.heap) };
    interface::attach_failures(report_fault, report_panic);
    // A second host is impossible: `ModuleRoot::attach` is called once.
    let _ = ATTACHED.set(Attached(host));
}

/// The host. `None` in constructors, which run before this image is attached, and in a unit test.
pub(crate) fn host() -> Option<&'static HostRef> {
    ATTACHED.get().map(|attached| &attached.0)
}

/// Calls `f` with the host, if this image is attached to one.
pub(crate) fn with_host(f: impl FnOnce(&HostRef)) {
    if let Some(host) = host() {
        f(host);
    }
}

/// Whether code that runs in this image should return, because a purge with a deadline is in progress.
pub(crate) fn is_cancelled() -> bool {
    // SAFETY: the host is valid while code of this image runs.
    host().is_some_and(|host| unsafe { host.vtable.is_cancelled()(host.context) })
}

/// Passes the text of a method's fault to the host.
fn report_fault(text: &str) {
    if let Some(host) = host() {
        // SAFETY: the host is valid while code of this image runs, and copies its arguments.
        unsafe { host.vtable.faulted()(host.context, text.into()) };
    }
}
