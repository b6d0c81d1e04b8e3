//! The phases of a load and a purge, and an observer that the runtime calls after each.
//!
//! The next phase starts when the observer returns. So tests can stop a load or a purge between two phases,
//! or end the process there, and programs can log the progress.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A completed phase of a load or a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The file was read and accepted, the load has the module's lock, and the module has no old version.
    Admitted,
    /// The private copy was written and mapped.
    Mapped,
    /// `on_load` succeeded.
    Started,
    /// The file is in the store.
    Stored,
    /// The ledger says that the version is current. Nothing after this can fail.
    Recorded,
    /// The version is current.
    Published,
    /// The version is old, and its last call has ended.
    Drained,
    /// The version's thread-locals on host threads were destroyed.
    Detached,
    /// The version was removed from the module's cell.
    Vacated,
    /// The module's value was dropped, and its threads have ended.
    Ended,
    /// The version was unmapped, and the dynamic linker's list confirms it.
    Unmapped,
}

/// A version completed a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseReached<'a> {
    /// The module.
    pub module: &'a str,
    /// The version's generation; 0 at [`Phase::Admitted`], because it has none yet.
    pub generation: u64,
    /// The phase.
    pub phase: Phase,
}

/// The callback of [`Builder::observe`](crate::Builder::observe), if there is one.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Callback>);

type Callback = Arc<dyn Fn(&PhaseReached<'_>) + Send + Sync>;

// === impl Observer ===

impl Observer {
    pub(crate) fn new(callback: impl Fn(&PhaseReached<'_>) + Send + Sync + 'static) -> Self {
        Observer(Some(Arc::new(callback)))
    }

    pub(crate) fn reached(&self, module: &str, generation: u64, phase: Phase) {
        let Some(callback) = &self.0 else { return };
        // After `Phase::Recorded` nothing may fail, so a panic of the observer must not stop the load.
        let reached = PhaseReached { module, generation, phase };
        let called = catch_unwind(AssertUnwindSafe(|| callback(&reached)));
        if called.is_err() {
            tracing::error!(module, generation, ?phase, "the observer panicked; the load or purge continues");
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
