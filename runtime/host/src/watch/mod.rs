//! Watches the modules directory: a file that is put there, in whatever way, is loaded when it has settled.
//!
//! The kernel tells of changes (through `notify`), and every few seconds the directory is looked through as well: messages
//! get lost when there are many, some file systems send none, and the directory itself may come and go.
//!
//! One thread reads the files, in the order in which they settled, and begins a journey for each; so a module that waits
//! for its old version holds nobody else up, and of two files of one module the later one wins.

pub(crate) mod settle;

use std::{
    fs,
    path::{self, Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};

use crate::{
    api::{Actor, Cause, Error, Event, LoadTimings, Policy, RequestContext},
    intake::{self, read::is_being_written},
    load,
    module::starting::PendingLoad,
    recovery::{restore, start_attempts::StartAttempts},
    shared::Shared,
    store::ledger::{self, ToRestore},
    watch::settle::{Change, Settling, Stamp},
};

/// How often the directory is looked through, whatever the kernel tells.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a file is not loaded at a start that is careful.
const LEFT_BEHIND: &str =
    "it lay in the modules directory while the two starts before this one were killed, and may be why";

/// The watch of one directory. Dropping it ends it.
pub(crate) struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the watcher's thread has.
struct Watching {
    /// Weak, so that a runtime that nobody has any more ends.
    shared: Weak<Shared>,
    directory: PathBuf,
    settling: Settling,
    /// The kernel's messages; replaced when the directory has come back.
    watcher: Option<(RecommendedWatcher, Receiver<notify::Result<notify::Event>>)>,
    /// Whether it was told that the directory cannot be read or watched.
    is_troubled: bool,
    /// Whether these are the files that lay there when the runtime began.
    is_first_look: bool,
    /// Whether what is new among those is left behind.
    safe_mode: bool,
}

// === impl Watch ===

impl Watch {
    /// Loads what lies in the directory, and begins to watch it.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        directory: PathBuf,
        attempts: &StartAttempts,
    ) -> Result<Self, Error> {
        // `notify` tells absolute paths. Looking must find the same, or each file would be taken twice; and the process may
        // change its directory.
        let directory = path::absolute(&directory).map_err(|source| Error::Io {
            action: "resolve the path",
            path: directory,
            source,
        })?;
        let mut watching = Watching {
            shared: Arc::downgrade(shared),
            directory,
            settling: Settling::default(),
            watcher: None,
            is_troubled: false,
            is_first_look: true,
            safe_mode: attempts.safe_mode(),
        };
        watching.look(Instant::now());
        // What lies there is taken for settled, and is loaded before anybody is served. Where one is still being written
        // to, the watch tells.
        let tasks = watching.take_settled(shared, Instant::now() + LOOK_EVERY);
        for journey in tasks {
            // Disconnected where the journey panicked; the panic was printed.
            let _ = journey.recv();
        }
        watching.is_first_look = false;
        let (stop, stopped) = bounded(0);
        let name = "segue-watch".to_owned();
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(move || watching.run(&stopped))
            .map_err(|source| Error::Thread { name, source })?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.take();
        // It is its own thread where the runtime's last owner was a journey that the watch began: then it ends by itself.
        if let Some(thread) = self.thread.take().filter(|watch| watch.thread().id() != thread::current().id())
        {
            // A panic in it was printed.
            let _ = thread.join();
        }
    }
}

// === impl Watching ===

impl Watching {
    fn run(mut self, stopped: &Receiver<()>) {
        let mut next_look = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next_look {
                self.look(now);
                next_look = now + LOOK_EVERY;
            }
            let Some(shared) = self.shared.upgrade() else { return };
            self.take_settled(&shared, now);
            drop(shared);

            let wake = self.settling.next_due().map_or(next_look, |due| due.min(next_look));
            let silence = never();
            let messages = self.watcher.as_ref().map_or(&silence, |(_, messages)| messages);
            select! {
                recv(stopped) -> _ => return,
                recv(messages) -> message => match message {
                    Ok(Ok(event)) => self.note(event),
                    // What was lost is found by looking.
                    Ok(Err(_)) => next_look = Instant::now(),
                    Err(_) => self.watcher = None,
                },
                default(wake.saturating_duration_since(Instant::now())) => {}
            }
        }
    }

    /// Looks through the directory, and has the kernel tell of it.
    fn look(&mut self, now: Instant) {
        let looked = self.watch().and_then(|()| self.find(now));
        match looked {
            Ok(()) => self.is_troubled = false,
            Err(error) => {
                // The kernel's watch is of a directory that may be gone.
                self.watcher = None;
                if !std::mem::replace(&mut self.is_troubled, true) {
                    self.record_trouble(&error);
                }
            }
        }
    }

    fn watch(&mut self) -> Result<(), Error> {
        if self.watcher.is_some() {
            return Ok(());
        }
        let failed = |source| Error::Watch { path: self.directory.clone(), source };
        let (tell, messages) = unbounded();
        let mut watcher = notify::recommended_watcher(move |message| {
            // Fails when nobody watches any more.
            let _ = tell.send(message);
        })
        .map_err(failed)?;
        watcher.watch(&self.directory, RecursiveMode::NonRecursive).map_err(failed)?;
        self.watcher = Some((watcher, messages));
        Ok(())
    }

    fn find(&mut self, now: Instant) -> Result<(), Error> {
        let failed = |source| Error::Io { action: "read", path: self.directory.clone(), source };
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if let Some(stamp) = is_module_file(&path).then(|| Stamp::of(&path)).flatten() {
                self.settling.note_found(path, stamp, now);
            }
        }
        Ok(())
    }

    fn note(&mut self, event: notify::Event) {
        let change = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => Change::Closed,
            // Owner, mode and times are no contents; a writer that sets them last has closed the file before.
            EventKind::Modify(ModifyKind::Metadata(_)) => return,
            EventKind::Create(_) | EventKind::Modify(_) => Change::Touched,
            EventKind::Remove(_) if event.paths.contains(&self.directory) => {
                self.watcher = None;
                return;
            }
            _ => return,
        };
        let now = Instant::now();
        for path in event.paths.into_iter().filter(|path| is_module_file(path)) {
            self.settling.note(path, change, now);
        }
    }

    /// Begins a journey for each file that has settled; each says when its load is done.
    fn take_settled(&mut self, shared: &Arc<Shared>, now: Instant) -> Vec<Receiver<()>> {
        let mut tasks = Vec::new();
        // It is open when this is dropped: all are known to be coming by then, and each may call any other in its start.
        let (hold, gate) = bounded::<()>(0);
        for path in self.settling.take_settled(now) {
            match self.drop_in(shared, &path, gate.clone()) {
                Ok(journey) => tasks.extend(journey),
                Err(error) if is_being_written(&error) => self.settling.again(path, Instant::now()),
                Err(error) => {
                    let path = path.display().to_string();
                    load::record_refused(
                        shared,
                        &Actor::File { path: path.clone() },
                        path,
                        &error,
                        Vec::new(),
                    );
                }
            }
        }
        drop(hold);
        tasks
    }

    /// Reads a file, and begins the journey of its load. It waits for its old version, and gives way to a later file. None
    /// where there is nothing to load.
    fn drop_in(
        &mut self,
        shared: &Arc<Shared>,
        path: &Path,
        gate: Receiver<()>,
    ) -> Result<Option<Receiver<()>>, Error> {
        let started = Instant::now();
        let mut took = LoadTimings::default();
        let candidate = intake::read(path, &mut took)?;
        let (name, digest) = (candidate.metadata().name.clone(), candidate.digest());
        let source = path.display().to_string();
        let taken = ledger::LedgerChange::DropIn { path: source.clone(), digest };
        if self.is_first_look {
            // The same bytes from this file before the runtime began: then it is not the file that decides what is current, but what
            // has come of it since, which the ledger knows.
            let is_new = shared.events.read_ledger(|ledger| ledger.drop_in(&source))? != Some(digest);
            if is_new && self.safe_mode {
                let version = candidate.metadata().version.clone();
                restore::record_not_restored(
                    shared,
                    ToRestore { module: name, digest, version },
                    LEFT_BEHIND,
                    vec![taken],
                );
                return Ok(None);
            }
            if !is_new && !restore::is_missed(shared, &name, &digest)? {
                return Ok(None);
            }
        }
        if !self.settling.note_read(path, digest) {
            return Ok(None);
        }
        let module = shared.get_or_insert_module(&name);
        let number = {
            let mut newest = module.last_drop_in_number.lock();
            *newest += 1;
            *newest
        };
        // Those that wait for their old version look whether they were overtaken.
        module.notify_waiters();
        let request = load::CandidateFile { inspected: candidate, source: source.clone(), took };
        let by = Actor::File { path: source.clone() };
        let context = RequestContext { actor: by.clone(), key: None };
        let plan = load::LoadPlan {
            policy: Policy::Wait,
            drop_in_number: Some(number),
            ..load::LoadPlan::new(load::LoadKind::Load, context, started)
        };
        let (tell, told) = bounded(1);
        let of_journey = shared.clone();
        let coming = PendingLoad::begin(&module);
        shared.tasks.spawn(format!("load {}", module.name), move || {
            // Disconnected when it is open.
            let _ = gate.recv();
            load::run_load(&of_journey, vec![request], &plan, |loaded| {
                drop(coming);
                if let Err(error) = loaded {
                    // After a restart the same bytes there are nothing new.
                    let taken = (error.cause() == Cause::File).then_some(taken);
                    load::record_refused(&of_journey, &by, source, &error, taken.into_iter().collect());
                }
                // Fails where nobody waits for it: only the start does.
                let _ = tell.send(());
            });
        })?;
        Ok(Some(told))
    }

    fn record_trouble(&self, error: &Error) {
        tracing::warn!("the modules directory cannot be watched: {error}");
        if let Some(shared) = self.shared.upgrade() {
            let directory = self.directory.display().to_string();
            let event = Event::WatchFailed { directory, reason: error.to_string() };
            shared.events.record_event(&Actor::runtime("it watches the modules directory"), event);
        }
    }
}

/// Files that end in `.so` and are not hidden: whoever copies under another name first and then renames is understood.
fn is_module_file(path: &Path) -> bool {
    let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|extension| extension == "so")
}
