//! Configures and starts a runtime.

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

/// Configures and starts a [`Runtime`].
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn main() -> Result<(), segue::Error> {
/// let runtime = segue::Runtime::builder()
///     .modules_dir("/srv/shop/modules") // a .so file that is put there is loaded
///     .state_dir("/var/lib/shop") // what a restart returns to
///     .crash_window(Duration::from_secs(60))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Builder {
    modules_dir: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    limits: Limits,
    crash_reporting: CrashReporting,
    observer: Observer,
}

/// Whether the runtime installs crash reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CrashReporting {
    #[default]
    IfStateDir,
    Off,
}

impl Builder {
    /// The directory to watch. The runtime loads its `.so` files when it starts, and each `.so` file that is
    /// put there later. It reads the directory and never writes it. The directory may be missing; the runtime
    /// watches it as soon as it exists.
    ///
    /// Default: no directory is watched.
    #[must_use]
    pub fn modules_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.modules_dir = Some(directory.into());
        self
    }

    /// The runtime's own directory: the ledger, the store, and the private copies that it maps. It is created
    /// if it is missing. One runtime at a time can use it. Its file system must not be mounted `noexec`.
    ///
    /// Default: a temporary directory. Then a restart restores nothing.
    #[must_use]
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// The most versions of one module that may be in quarantine with calls inside. At the limit, loads of
    /// the module fail with [`Error::QuarantineFull`]. Values outside 1 to 6 are clamped. Versions in
    /// quarantine with no call inside do not count; [`kept_bytes_max`](Builder::kept_bytes_max) limits these.
    ///
    /// Default: 4.
    #[must_use]
    pub fn quarantine_max(mut self, versions: usize) -> Self {
        // A cell has eight lanes. Current needs one, and old or the next version needs one.
        self.limits.quarantine_max = versions.clamp(1, 6);
        self
    }

    /// The most memory, in bytes, of versions that cannot be unloaded although no call is inside, of all
    /// modules together. Such a version links a library that may call it, or one of its threads does not end.
    /// At the limit, loads of a module that has such versions fail with [`Error::KeptFull`].
    ///
    /// Default: a tenth of the memory of the machine, or of the control group if that is less.
    #[must_use]
    pub fn kept_bytes_max(mut self, bytes: u64) -> Self {
        self.limits.kept_bytes_max = Some(bytes);
        self
    }

    /// How long a purge waits for host threads that are not [registered](crate::RegisteredThread) to destroy
    /// their thread-locals of the version. Such a thread does so when it calls a module again or ends. After
    /// the timeout the purge drops these thread-locals without running their destructors, and counts them.
    ///
    /// Default: 100 ms.
    #[must_use]
    pub fn cleanup_timeout(mut self, timeout: Duration) -> Self {
        self.limits.cleanup_timeout = timeout;
        self
    }

    /// How long the threads of a version may stay after the module's value was dropped. If all of them wait
    /// then (for a lock, in a sleep, for a socket), the runtime ends them, and the version can be unloaded.
    /// Values on their stacks are not dropped. With `Duration::MAX` the threads stay, and so does the
    /// version.
    ///
    /// Default: 5 s.
    #[must_use]
    pub fn idle_thread_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle_thread_timeout = timeout;
        self
    }

    /// How long a call waits if the module has no current version and its first version is starting.
    ///
    /// Default: 5 s.
    #[must_use]
    pub fn first_version_timeout(mut self, timeout: Duration) -> Self {
        self.limits.first_version_timeout = timeout;
        self
    }

    /// How long `on_load` may take for a file of the modules directory or a restored version. For other
    /// loads, [`LoadOptions::deadline`](crate::LoadOptions::deadline) applies.
    ///
    /// Default: 30 s.
    #[must_use]
    pub fn on_load_timeout(mut self, timeout: Duration) -> Self {
        self.limits.on_load_timeout = timeout;
        self
    }

    /// How long a version that is not on trial is new. If a new version crashes the process or calls `exit`,
    /// its file is blocked, and a restart returns to the version before it.
    ///
    /// Default: 10 s.
    #[must_use]
    pub fn crash_window(mut self, window: Duration) -> Self {
        self.limits.crash_window = window;
        self
    }

    /// Installs no handlers for fatal signals, and does not record which module calls `exit`. Then a version
    /// that ends the process is not blocked.
    ///
    /// By default a runtime with a state directory handles SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP
    /// and SIGSYS. The handlers write which module's code was running, and pass the signal on to the handlers
    /// that were installed before.
    #[must_use]
    pub fn without_crash_reports(mut self) -> Self {
        self.crash_reporting = CrashReporting::Off;
        self
    }

    /// Calls an observer after each [`Phase`](crate::Phase) of each load and purge. The load or purge waits
    /// for it, with locks held, so a command to the runtime from the observer can deadlock. It is for tests
    /// that stop a load, or end the process, between two phases, and for programs that log the progress.
    ///
    /// ```
    /// # fn main() -> Result<(), segue::Error> {
    /// let runtime = segue::Runtime::builder()
    ///     .observe(|reached| eprintln!("{} g{}: {:?}", reached.module, reached.generation, reached.phase))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&PhaseReached<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Starts the runtime. Before it returns, it
    ///
    /// 1. records the crash reports of the previous process, and blocks the version that crashed;
    /// 2. loads the last confirmed version of each module from the store;
    /// 3. loads the files of the modules directory that have changed since they were last loaded from there.
    ///
    /// A file that is refused is recorded as an event and is not an error of this method. If earlier starts
    /// were killed twice in a row, step 3 skips the changed files.
    ///
    /// # Errors
    ///
    /// [`Error::StateDirInUse`] if another runtime uses the state directory. [`Error::Io`] if the state
    /// directory cannot be created or read. [`Error::Ledger`] or [`Error::LedgerTooNew`] if the ledger cannot
    /// be used. [`Error::Thread`] if a thread cannot be started.
    pub fn build(self) -> Result<Runtime, Error> {
        // Reserved now, so that the process's reaction to this signal does not change at a later purge.
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
        // Only with a modules directory: safe mode skips its files and nothing else.
        let watched = self
            .modules_dir
            .map(|directory| (directory, StartAttempts::begin(shared.state_dir.start_marker())));
        if self.state_dir.is_some() && self.crash_reporting == CrashReporting::IfStateDir {
            let path = shared.state_dir.crashes();
            let reports = CrashReports::install(&path).map_err(|source| Error::Io {
                action: "write crash reports to",
                path,
                source,
            })?;
            // Set only here.
            let _ = shared.crash_reports.set(reports);
        }
        restore::run(&shared)?;
        let watch = watched.map(|(directory, attempts)| Watch::start(&shared, directory, &attempts));
        let watch = Arc::new(Mutex::new(watch.transpose()?));
        Ok(Runtime { shared, watch, context: RequestContext::default() })
    }
}

impl Runtime {
    /// Configures a runtime. [`Builder::build`] starts it.
    pub fn builder() -> Builder {
        Builder::default()
    }
}
