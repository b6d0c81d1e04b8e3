//! Making a runtime.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use parking_lot::Mutex;
use segue_loader::CrashReports;

use crate::{
    api::{Error, Limits, Observer, PhaseReached, RequestContext},
    recovery::{crashes, restore, start_attempts::StartAttempts},
    runtime::Runtime,
    shared::Shared,
    store::{event_log::Events, ledger::Ledger, state_dir::StateDir},
    watch::Watch,
};

/// Makes a [`Runtime`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    modules_dir: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    limits: Limits,
    crashes: Crashes,
    observer: Observer,
}

/// What is done about the process's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Crashes {
    #[default]
    Reported,
    LeftAlone,
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

    /// How many versions of one module may be in quarantine with calls inside before a load of it is refused: from 1 to 6;
    /// 4 by default. Versions that stay though nobody is inside have a [limit of memory](Builder::kept_bytes_max) instead.
    #[must_use]
    pub fn quarantine_max(mut self, versions: usize) -> Self {
        // A cell has eight lanes: one for current, one for old or the next.
        self.limits.quarantine_max = versions.clamp(1, 6);
        self
    }

    /// How much memory versions may take that stay though nobody is inside them, of all modules together, in bytes: a tenth of
    /// the machine's (or of the control group's) by default. They link a library that may call them, or a thread of theirs does
    /// not end. At the limit a load of a module that has such versions is refused.
    #[must_use]
    pub fn kept_bytes_max(mut self, bytes: u64) -> Self {
        self.limits.kept_bytes_max = Some(bytes);
        self
    }

    /// How long a purge waits for threads that have called the version and are no [residents](crate::RegisteredThread) to call again
    /// or to end, so that they destroy their thread-locals of it: 100 ms where nothing is said. After that these are dropped
    /// without running, and counted.
    #[must_use]
    pub fn cleanup_timeout(mut self, patience: Duration) -> Self {
        self.limits.cleanup_timeout = patience;
        self
    }

    /// How long the threads of a version may stay when the module's value has gone: 5 s by default. If all of them wait then (for a
    /// lock, in a sleep, for a socket), the runtime ends them, so that the version can leave. What is on their stacks is not
    /// dropped. `Duration::MAX` lets them stay, and the version with them.
    #[must_use]
    pub fn idle_thread_timeout(mut self, patience: Duration) -> Self {
        self.limits.idle_thread_timeout = patience;
        self
    }

    /// How long callers of a module that has no current version, and whose first version is starting, wait for it: 5 s where nothing
    /// is said.
    #[must_use]
    pub fn first_version_timeout(mut self, patience: Duration) -> Self {
        self.limits.first_version_timeout = patience;
        self
    }

    /// How long the `on_load` of a file of the modules directory may take: 30 s where nothing is said. Other loads have a deadline
    /// of their own.
    #[must_use]
    pub fn on_load_timeout(mut self, patience: Duration) -> Self {
        self.limits.on_load_timeout = patience;
        self
    }

    /// How long a version that is not on trial must have been in memory for a crash in it, or its `exit`, not to be held against it:
    /// 10 s where nothing is said. A version that ends the process earlier is blocked, and a restart returns to the one before.
    #[must_use]
    pub fn crash_window(mut self, time: Duration) -> Self {
        self.limits.crash_window = time;
        self
    }

    /// Installs no handlers for fatal signals. Where there is a state directory they are installed otherwise (SIGSEGV, SIGBUS, SIGILL,
    /// SIGFPE, SIGABRT, SIGTRAP, SIGSYS): they write whose code it was, and hand the signal on to what was there before them. Nor is it
    /// written which module called `exit`. So a version that ends the process is not known to have done so.
    #[must_use]
    pub fn without_crash_reports(mut self) -> Self {
        self.crashes = Crashes::LeftAlone;
        self
    }

    /// Has an observer told of each phase of each version's way in and out. The way waits for it, with locks held: it is for tests
    /// that hold, or end, the process between two phases, and for programs that note them.
    #[must_use]
    pub fn observe(mut self, tell: impl Fn(&PhaseReached<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(tell);
        self
    }

    /// Makes the runtime. What was confirmed last of each module is loaded from the store, as it was when the runtime before this one
    /// ended, and then what is new in the modules directory, before this returns. A file that is refused is told as an event, and is
    /// no error here.
    ///
    /// Where ledger, store and modules directory differ, the ledger decides which versions are current, the store has their files,
    /// and of the modules directory only those files count that are not the same as when they were taken last.
    ///
    /// # Errors
    ///
    /// Where the state directory cannot be made or is used by another runtime, where its ledger cannot be read or written, and where
    /// a thread cannot be started.
    pub fn build(self) -> Result<Runtime, Error> {
        // Now, so that what the process does at a signal does not change at a purge.
        segue_loader::wake_signal();
        let state_dir = StateDir::open(self.state_dir.as_deref())?;
        let ledger = match self.state_dir {
            Some(_) => Ledger::open(&state_dir.ledger())?,
            None => Ledger::in_memory()?,
        };
        let last_generation = ledger.last_generation()?;
        let shared = Arc::new(Shared {
            modules: Default::default(),
            events: Events::new(ledger)?,
            state_dir,
            registered: Default::default(),
            unregistered: Default::default(),
            limits: self.limits,
            tasks: Default::default(),
            next_generation: AtomicU64::new(last_generation + 1),
            is_shutting_down: AtomicBool::new(false),
            observer: self.observer,
            idempotency_keys: Default::default(),
            wait_graph: Default::default(),
            publish_lock: Default::default(),
            crash_reports: OnceLock::new(),
        });
        crashes::record_all(&shared)?;
        // It says what is done with the directory, and with nothing else.
        let watched = self
            .modules_dir
            .map(|directory| (directory, StartAttempts::begin(shared.state_dir.start_marker())));
        if self.state_dir.is_some() && self.crashes == Crashes::Reported {
            let path = shared.state_dir.crashes();
            let reports = CrashReports::install(&path).map_err(|source| Error::Io {
                action: "write crash reports to",
                path,
                source,
            })?;
            // Set once, here.
            let _ = shared.crash_reports.set(reports);
        }
        restore::run(&shared)?;
        let watch = watched.map(|(directory, attempts)| Watch::start(&shared, directory, &attempts));
        let watch = Arc::new(Mutex::new(watch.transpose()?));
        Ok(Runtime { shared, watch, context: RequestContext::default() })
    }
}

impl Runtime {
    /// Starts to configure a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }
}
