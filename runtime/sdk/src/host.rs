//! The host, as a module sees it.

use std::sync::OnceLock;

use segue_abi::HostRef;

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
    // A second host is not possible: `ModuleRoot::attach` is called once.
    let _ = ATTACHED.set(Attached(host));
}

/// The host, where this image was attached to one: not in constructors, and not in a unit test.
pub(crate) fn attached() -> Option<&'static HostRef> {
    ATTACHED.get().map(|attached| &attached.0)
}
