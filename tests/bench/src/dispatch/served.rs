//! A real module in a real runtime.

use std::time::Duration;

use segue::{InterfaceHandle, ModuleHandle, Runtime};
use tempfile::TempDir;

use super::step::Step;
use crate::{Error, files::versions_of};

/// The module. `build.rs` lists it.
const MODULE: &str = "silent";
/// The limit for the shutdown. Nobody is inside any more, so it takes microseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// A runtime with a module whose response is empty, in a temporary state directory.
pub(super) struct Served {
    runtime: Runtime,
    /// Removed on drop.
    _state: TempDir,
}

// === impl Served ===

impl Served {
    pub(super) fn start() -> Result<Self, Error> {
        let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
        let runtime = Runtime::builder().state_dir(state.path()).build()?;
        runtime.load(&versions_of(MODULE)[0])?;
        Ok(Served { runtime, _state: state })
    }

    /// Returns a handle for requests.
    pub(super) fn module(&self) -> Result<ModuleHandle, Error> {
        Ok(self.runtime.module(MODULE)?)
    }

    /// Returns a handle for method calls.
    pub(super) fn step(&self) -> Result<InterfaceHandle<Step>, Error> {
        Ok(self.runtime.interface(MODULE)?)
    }

    /// Unloads the module.
    pub(super) fn end(self) -> Result<(), Error> {
        Ok(self.runtime.shutdown(DEADLINE)?)
    }
}
