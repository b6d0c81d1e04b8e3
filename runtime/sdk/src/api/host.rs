//! The host, as a module sees it.

use segue_interface::{Fault, Interface};

use crate::{
    api::link::{InterfaceHandle, ModuleHandle},
    boundary::attached,
};

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
        attached::is_cancelled()
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
