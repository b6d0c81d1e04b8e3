//! A real module in a real runtime.

use std::time::Duration;

use segue::{InterfaceHandle, ModuleHandle, Runtime};
use tempfile::TempDir;

use super::step::Step;
use crate::{Error, files::versions_of};

/// The module; `build.rs` names it too.
const MODULE: &str = "silent";
/// How long its end may take. Nobody is inside any more, so it is a matter of microseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// A runtime with a module that answers next to nothing, in a state directory that is gone afterwards.
pub(super) struct Served {
    runtime: Runtime,
    /// Kept for its drop.
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

    /// The way into it by requests.
    pub(super) fn module(&self) -> Result<ModuleHandle, Error> {
        Ok(self.runtime.module(MODULE)?)
    }

    /// The way into it by methods.
    pub(super) fn step(&self) -> Result<InterfaceHandle<Step>, Error> {
        Ok(self.runtime.interface(MODULE)?)
    }

    /// Takes the module out of memory.
    pub(super) fn end(self) -> Result<(), Error> {
        Ok(self.runtime.shutdown(DEADLINE)?)
    }
}
