//! The host, as a module sees it.

use std::sync::OnceLock;

use segue_abi::HostRef;
use segue_interface::{__private as interface, Fault, Interface};

use crate::{InterfaceHandle, ModuleHandle, idle, panics};

/// Who loaded this module, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: &'static str,
    version: &'static str,
    generation: u64,
}

impl Host {
    pub(crate) fn new(name: &'static str, version: &'static str, generation: u64) -> Self {
        Host { name, version, generation }
    }

    /// The module's name, as in its `Cargo.toml`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The module's version, as in its `Cargo.toml` (or in `SEGUE_MODULE_VERSION`, where that was set for the build).
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// Which load in its runtime this is: every load has another number, and a later one has a higher.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether what runs in this version is asked to come to its end: the version is being purged, with a deadline. Whoever
    /// loops, or waits, looks at it now and then, and gives up. Calls to other modules fail then.
    ///
    /// After the deadline the version is left alone and stays in memory for as long as somebody is inside.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled()
    }

    /// Calls another module. It need not be loaded yet: each call looks for what is current then.
    ///
    /// # Errors
    ///
    /// Where the host refuses (it is shutting down), and in a unit test, which has no host.
    pub fn module(&self, name: &str) -> Result<ModuleHandle, Fault> {
        ModuleHandle::to(name)
    }

    /// Calls another module through a typed interface. It need not be loaded yet. For as long as a clone of the handle exists,
    /// no version of that module is loaded that does not fit it.
    ///
    /// # Errors
    ///
    /// Where the version that is current exports no such interface, or another form of it; and as for
    /// [`module`](Host::module).
    pub fn interface<I: Interface>(&self, module: &str) -> Result<InterfaceHandle<I>, Fault> {
        InterfaceHandle::to(module)
    }
}

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
pub(crate) unsafe fn attach(host: HostRef) {
    // SAFETY: our caller's promise; and the heap is good for as long as the process runs.
    unsafe { interface::attach_heap(host.heap) };
    interface::attach_failures(tell_fault, panics::tell_untold);
    idle::set_wake_signal(host.wake_signal);
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
