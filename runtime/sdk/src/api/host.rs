//! The host, as a module sees it.

use segue_interface::{Fault, Interface};

use crate::{
    api::link::{InterfaceHandle, ModuleHandle},
    boundary::attached,
};

/// The runtime that loaded this module, and the identity of this version.
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

    /// The module's name, from its `Cargo.toml`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The module's version, from its `Cargo.toml`, or from `SEGUE_MODULE_VERSION` if that was set for the
    /// build.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The number of this load. It is unique in the runtime, and later loads have higher numbers.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether this version is being purged with a deadline. Code that loops or waits should check this
    /// regularly, and return when it is true. Calls to other modules then fail.
    ///
    /// A version that is still in use after the deadline stays in memory until it is no longer in use.
    pub fn is_cancelled(&self) -> bool {
        attached::is_cancelled()
    }

    /// A handle to another module. That module need not be loaded yet: each call looks up its current
    /// version.
    ///
    /// # Errors
    ///
    /// If the host is shutting down, and in a unit test, which has no host.
    pub fn module(&self, name: &str) -> Result<ModuleHandle, Fault> {
        ModuleHandle::new(name)
    }

    /// A handle to a typed interface of another module. That module need not be loaded yet. While a clone of
    /// the handle exists, the host refuses to load a version of that module that does not fit the interface.
    ///
    /// # Errors
    ///
    /// If the current version of that module does not export the interface, or exports an incompatible form
    /// of it, and for the reasons of [`module`](Host::module).
    pub fn interface<I: Interface>(&self, module: &str) -> Result<InterfaceHandle<I>, Fault> {
        InterfaceHandle::new(module)
    }
}
