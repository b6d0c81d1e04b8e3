//! The phases of a version's way in and out, as values: an observer is told of each before the next begins, and the way waits for
//! it. So tests can hold a load or a purge between two phases, or end the process there; and programs can note how it goes.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A phase of a version's way in or out that has just been completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Its file was read, may be loaded, and it is its turn; there is room for it.
    Admitted,
    /// Its private copy is written, and mapped.
    Mapped,
    /// Its `on_load` agreed.
    Started,
    /// Its file is in the store.
    Stored,
    /// The ledger says that it is current. From here on nothing can fail.
    Recorded,
    /// It is current.
    Published,
    /// It is old, and nobody is inside any more.
    Drained,
    /// What it had left on threads of the host was destroyed.
    Detached,
    /// It has left the cell.
    Vacated,
    /// Its own value was dropped, and its threads have ended.
    Ended,
    /// It has left memory.
    Unmapped,
}

/// Which version has completed which phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseReached<'a> {
    /// The module.
    pub module: &'a str,
    /// The version's generation; 0 while it has none, when it is admitted.
    pub generation: u64,
    /// The phase.
    pub phase: Phase,
}

/// Whom phases are told.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Tell>);

type Tell = Arc<dyn Fn(&PhaseReached<'_>) + Send + Sync>;

// === impl Observer ===

impl Observer {
    pub(crate) fn new(tell: impl Fn(&PhaseReached<'_>) + Send + Sync + 'static) -> Self {
        Observer(Some(Arc::new(tell)))
    }

    pub(crate) fn reached(&self, module: &str, generation: u64, phase: Phase) {
        let Some(tell) = &self.0 else { return };
        // Where it is told that a version is recorded, there is no way back: its panic must not keep the version from being current.
        let told = catch_unwind(AssertUnwindSafe(|| tell(&PhaseReached { module, generation, phase })));
        if told.is_err() {
            tracing::error!(
                module,
                generation,
                ?phase,
                "the observer panicked, and the version goes its way"
            );
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
