//! The thread that watches the modules directory.
//!
//! The kernel reports changes, through `notify`. The directory is also scanned at an interval, because
//! reports get lost when there are many, some file systems send none, and the directory itself may disappear
//! and return.
//!
//! The thread reads the files in the order in which their writers finished, and starts one task for each
//! load. So a load that waits for its old version delays no other module, and of two files of one module the
//! later wins.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, bounded, never, select, unbounded};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};

use crate::{
    api::{Actor, Error, Event},
    intake::read::is_being_written,
    load,
    shared::Shared,
    watch::{
        debounce::{Debouncer, FileChange, Stamp},
        drop_in::{self, DropIn, Origin},
    },
};

/// The interval between two scans of the directory.
const SCAN_INTERVAL: Duration = Duration::from_secs(2);

/// The state of the watcher's thread.
pub(super) struct DirectoryWatcher {
    /// Weak, so the watch does not keep an unused runtime alive.
    shared: Weak<Shared>,
    directory: PathBuf,
    debouncer: Debouncer,
    /// The kernel's reports. Created again when the directory has returned.
    reports: Option<(RecommendedWatcher, Receiver<notify::Result<notify::Event>>)>,
    /// Whether the current failure to read or watch the directory was recorded.
    has_recorded_failure: bool,
}

// === impl DirectoryWatcher ===

impl DirectoryWatcher {
    pub(super) fn new(shared: &Arc<Shared>, directory: PathBuf) -> Self {
        DirectoryWatcher {
            shared: Arc::downgrade(shared),
            directory,
            debouncer: Debouncer::default(),
            reports: None,
            has_recorded_failure: false,
        }
    }

    /// Loads the files that are in the directory when the runtime starts, and waits for these loads.
    /// In safe mode new files are skipped.
    pub(super) fn load_existing(&mut self, shared: &Arc<Shared>, safe_mode: bool) {
        let now = Instant::now();
        self.scan(now);
        // These files count as complete, so they are loaded before the first call. If one is still being
        // written, the watch loads it later. A file is due within one scan interval of its change.
        let loads = self.start_due_loads(shared, now + SCAN_INTERVAL, Origin::Start { safe_mode });
        for done in loads {
            // Disconnected if the load panicked. The panic was printed.
            let _ = done.recv();
        }
    }

    /// Watches until `stopped` is disconnected or the runtime has ended.
    pub(super) fn run(mut self, stopped: &Receiver<()>) {
        let mut next_scan = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next_scan {
                self.scan(now);
                next_scan = now + SCAN_INTERVAL;
            }
            let Some(shared) = self.shared.upgrade() else { return };
            self.start_due_loads(&shared, now, Origin::Watch);
            drop(shared);

            let wake = self.debouncer.next_due().map_or(next_scan, |due| due.min(next_scan));
            let no_reports = never();
            let reports = self.reports.as_ref().map_or(&no_reports, |(_, reports)| reports);
            select! {
                recv(stopped) -> _ => return,
                recv(reports) -> report => match report {
                    Ok(Ok(event)) => self.note_event(event),
                    // Reports were lost. A scan finds what they would have reported.
                    Ok(Err(_)) => next_scan = Instant::now(),
                    Err(_) => self.reports = None,
                },
                default(wake.saturating_duration_since(Instant::now())) => {}
            }
        }
    }

    /// Scans the directory, and asks the kernel to report its changes.
    fn scan(&mut self, now: Instant) {
        let scanned = self.subscribe().and_then(|()| self.note_files(now));
        match scanned {
            Ok(()) => self.has_recorded_failure = false,
            Err(error) => {
                // The kernel may be watching a directory that is gone.
                self.reports = None;
                if !std::mem::replace(&mut self.has_recorded_failure, true) {
                    self.record_failure(&error);
                }
            }
        }
    }

    fn subscribe(&mut self) -> Result<(), Error> {
        if self.reports.is_some() {
            return Ok(());
        }
        let failed = |source| Error::Watch { path: self.directory.clone(), source };
        let (sender, reports) = unbounded();
        let mut watcher = notify::recommended_watcher(move |report| {
            // Fails after the watch has ended.
            let _ = sender.send(report);
        })
        .map_err(failed)?;
        watcher.watch(&self.directory, RecursiveMode::NonRecursive).map_err(failed)?;
        self.reports = Some((watcher, reports));
        Ok(())
    }

    fn note_files(&mut self, now: Instant) -> Result<(), Error> {
        let failed = |source| Error::Io { action: "read", path: self.directory.clone(), source };
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if let Some(stamp) = is_module_file(&path).then(|| Stamp::of(&path)).flatten() {
                self.debouncer.note_found(path, stamp, now);
            }
        }
        Ok(())
    }

    fn note_event(&mut self, event: notify::Event) {
        let change = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => FileChange::Complete,
            // Owner, mode and times are not content. A writer that sets them last has closed the file before.
            EventKind::Modify(ModifyKind::Metadata(_)) => return,
            EventKind::Create(_) | EventKind::Modify(_) => FileChange::Written,
            EventKind::Remove(_) if event.paths.contains(&self.directory) => {
                self.reports = None;
                return;
            }
            _ => return,
        };
        let now = Instant::now();
        for path in event.paths.into_iter().filter(|path| is_module_file(path)) {
            self.debouncer.note(path, change, now);
        }
    }

    /// Starts a task for each file that is due. Each receiver gets a message when its load is done.
    fn start_due_loads(&mut self, shared: &Arc<Shared>, now: Instant, origin: Origin) -> Vec<Receiver<()>> {
        let mut loads = Vec::new();
        // The loads wait at a gate until `hold` is dropped. By then all of them are pending, so the `on_load`
        // of each may call the module of any other.
        let (hold, gate) = bounded::<()>(0);
        for path in self.debouncer.take_due(now) {
            match self.start_load(shared, &path, gate.clone(), origin) {
                Ok(done) => loads.extend(done),
                Err(error) if is_being_written(&error) => self.debouncer.retry(path, Instant::now()),
                Err(error) => {
                    let path = path.display().to_string();
                    let actor = Actor::File { path: path.clone() };
                    load::record_refused(shared, &actor, path, &error, Vec::new());
                }
            }
        }
        drop(hold);
        loads
    }

    /// Reads a file and starts the task that loads it. `None` if there is nothing to load.
    fn start_load(
        &mut self,
        shared: &Arc<Shared>,
        path: &Path,
        gate: Receiver<()>,
        origin: Origin,
    ) -> Result<Option<Receiver<()>>, Error> {
        let file = DropIn::read(path)?;
        if !drop_in::is_due(shared, &file, origin)? || !self.debouncer.note_read(path, file.digest()) {
            return Ok(None);
        }
        file.start(shared, gate).map(Some)
    }

    fn record_failure(&self, error: &Error) {
        tracing::warn!("cannot watch the modules directory: {error}");
        if let Some(shared) = self.shared.upgrade() {
            let directory = self.directory.display().to_string();
            let event = Event::WatchFailed { directory, reason: error.to_string() };
            shared.events.record_event(&Actor::runtime("watching the modules directory"), event);
        }
    }
}

/// Whether the file's name ends in `.so` and does not start with a dot. So a writer may copy to another name
/// first and then rename.
fn is_module_file(path: &Path) -> bool {
    let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|extension| extension == "so")
}
