//! Making a runtime.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use crate::{Error, Events, Runtime, options::Limits, runtime::Inner, state_dir::StateDir, watch::Watch};

/// Makes a [`Runtime`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    modules_dir: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    limits: Limits,
}

impl Builder {
    /// The directory whose `.so` files are loaded, now and whenever one is put there. It is read and never written. It may
    /// be missing: what is in it counts from when it is there. Without one, nothing is watched.
    #[must_use]
    pub fn modules_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.modules_dir = Some(directory.into());
        self
    }

    /// The runtime's own directory, made where it is missing, for one runtime at a time. It must be on a file system that
    /// allows running files. Without one, a temporary directory is used.
    #[must_use]
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// How many versions of one module may be in quarantine before a load of it is refused: from 1 to 6, and 4 where nothing is
    /// said.
    #[must_use]
    pub fn quarantine_max(mut self, versions: usize) -> Self {
        // A cell has eight lanes: one for current, one for old or the next.
        self.limits.quarantine_max = versions.clamp(1, 6);
        self
    }

    /// How long a purge waits for threads that have called the version and are no [residents](crate::Resident) to call again
    /// or to end, so that they destroy their thread-locals of it: 100 ms where nothing is said. After that these are dropped
    /// without running, and counted.
    #[must_use]
    pub fn stranger_patience(mut self, patience: Duration) -> Self {
        self.limits.stranger_patience = patience;
        self
    }

    /// Makes the runtime. Where there is a modules directory, what lies in it is loaded before this returns: of each
    /// module the file that was changed last. A file that is refused is told as an event, and is no error here.
    ///
    /// # Errors
    ///
    /// Where the state directory cannot be made or is used by another runtime, and where a thread cannot be started.
    pub fn build(self) -> Result<Runtime, Error> {
        let inner = Arc::new(Inner {
            modules: Default::default(),
            events: Events::new(),
            state: StateDir::open(self.state_dir.as_deref())?,
            residents: Default::default(),
            passers: Default::default(),
            limits: self.limits,
            journeys: Default::default(),
            next_generation: AtomicU64::new(1),
            is_closing: AtomicBool::new(false),
            watch: Default::default(),
        });
        if let Some(directory) = self.modules_dir {
            let watch = Watch::begin(&inner, directory)?;
            *inner.watch.lock() = Some(watch);
        }
        Ok(Runtime { inner })
    }
}
