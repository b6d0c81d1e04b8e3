//! The runtime: all that can be done with the modules of a process, on one page. Each method delegates to its room.

pub(crate) mod builder;
pub(crate) mod shutdown;

use std::{
    path::Path,
    slice,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use segue_interface::Interface;
use segue_loader::Digest;
use serde::de::DeserializeOwned;

use crate::{
    api::{
        BlockedFile, Command, Confirmed, Deleted, Error, LoadOptions, Loaded, ModuleStatus, Pins, Purged,
        Record, RequestContext, RolledBack, Source, Stickiness, Unblocked,
    },
    call::{handle::ModuleHandle, interface::InterfaceHandle, snapshot::Snapshot},
    inspect::{kept, pins, status},
    intake,
    load::{self, LoadKind, LoadPlan},
    purge,
    rollout::{
        block, delete, rollback,
        sticky::{self, Sticky},
        trial,
    },
    shared::Shared,
    store::event_log::Events,
    threads::registered::RegisteredThread,
    watch::Watch,
};

/// The modules of a process. It loads them, hands out handles to them, and removes old versions from memory.
///
/// A clone is cheap, and all clones are one runtime. End it with [`shutdown`](Runtime::shutdown). If the last clone is
/// dropped without that, the current versions stay in memory, because callers may be inside.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
    /// The watch of the modules directory, until the runtime is shut down.
    pub(crate) watch: Arc<Mutex<Option<Watch>>>,
    /// Who asks through this clone.
    pub(crate) context: RequestContext,
}

impl Runtime {
    /// The same runtime on behalf of somebody. Commands through it are recorded as theirs, and run once for each key.
    #[must_use]
    pub fn on_behalf_of(&self, context: RequestContext) -> Runtime {
        Runtime { shared: self.shared.clone(), watch: self.watch.clone(), context }
    }

    // === Calls ===

    /// The handle to a module. Each call through it goes to the version that is current at that moment.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`] if no version of it was ever loaded, and none is starting.
    pub fn module(&self, name: &str) -> Result<ModuleHandle, Error> {
        self.shared.module(name).map(ModuleHandle::new)
    }

    /// The handle to a typed interface of a module. It is checked now, and every version that is loaded later is checked
    /// against it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`] if no version of the module was ever loaded. [`Error::Interface`] if the current version
    /// does not export the interface, or exports another form of it.
    pub fn interface<I: Interface>(&self, module: &str) -> Result<InterfaceHandle<I>, Error> {
        InterfaceHandle::new(self.shared.module(module)?)
    }

    /// All modules as they are now. [`Snapshot`] says what it costs and keeps.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.shared.publish_lock, &self.shared.modules)
    }

    /// Registers the calling thread, so that it takes part in purges. See [`RegisteredThread`].
    pub fn register_thread(&self) -> RegisteredThread {
        RegisteredThread::new(self.shared.registered.clone())
    }

    // === Loads ===

    /// Loads a file and makes it current, with the default options of [`load_with`](Runtime::load_with).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Loaded, Error> {
        self.load_with(&Source::File(path.as_ref().to_owned()), &LoadOptions::default())
    }

    /// Loads a module and makes it current. It returns when new calls enter the new version. The version that was current
    /// finishes its calls and then leaves memory by itself.
    ///
    /// Do not call it from inside a module: the load of a module waits for the one before it.
    ///
    /// # Errors
    ///
    /// If it fails, nothing has changed. The error names the step and the reason.
    pub fn load_with(&self, source: &Source, options: &LoadOptions) -> Result<Loaded, Error> {
        let loaded = self.load_set(slice::from_ref(source), options)?.into_iter().next();
        loaded.ok_or_else(|| Error::Internal { what: "a load without an answer".to_owned() })
    }

    /// Loads several modules as one set: all become current, or none. All are staged, checked and started first. Then one
    /// transaction of the ledger records them, and one store each makes them current. A member whose file is current
    /// already is `unchanged`.
    ///
    /// Members may call each other through interfaces as they will be, also in their `on_load`. Until all are current, such
    /// a call goes to what is current. A [`snapshot`](Runtime::snapshot) shows all modules as they were before, or as they
    /// are after, and nothing in between.
    ///
    /// # Errors
    ///
    /// If it fails, nothing has changed. If several members are refused, [`Error::Set`] has the reason of each.
    pub fn load_set(&self, sources: &[Source], options: &LoadOptions) -> Result<Vec<Loaded>, Error> {
        let command = Command::load(sources);
        self.once(&command, || {
            let plan = LoadPlan::new(LoadKind::Load, self.context.clone(), Instant::now())
                .with_options(options, trial::WATCH);
            load::run(&self.shared, sources, LoadPlan { command: Some(command.clone()), ..plan })
        })
    }

    /// Puts a file into the store of the state directory, so that [`Source::Stored`] can load it.
    ///
    /// # Errors
    ///
    /// [`Error::Check`] if this runtime cannot load it. [`Error::Store`] if the store cannot be written.
    pub fn put_image(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let (digest, path) = (Digest::of(bytes), self.shared.state_dir.image(&Digest::of(bytes)));
        intake::inspect(bytes, &path)?;
        self.shared.state_dir.put(&digest, bytes)?;
        Ok(digest)
    }

    // === Policies over versions ===

    /// Makes the previous version current again, and the current one old.
    ///
    /// The previous version is in memory while calls are inside it, or during a trial. Then a rollback needs no file and is
    /// one store. Later, its file is loaded again from the store of the state directory, through all checks.
    ///
    /// A rollback in memory happens first and is recorded afterwards, so a full disk cannot prevent it.
    /// [`RolledBack::recorded`] says whether a restart knows of it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::NothingToRollBack`]; [`Error::Interface`] if somebody has a typed handle that the
    /// previous version does not fit; and the errors of a load if its file is loaded again.
    pub fn rollback(&self, name: &str) -> Result<RolledBack, Error> {
        self.once(&Command::Rollback { module: name.to_owned() }, || {
            rollback::run(&self.shared, &self.shared.module(name)?, None, &self.context)
        })
    }

    /// Ends the trial of a module's current version. From now on a restart returns to it, and the previous version is kept
    /// only as long as calls are inside. Without a trial nothing is done, and the answer says so.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::NoCurrent`]; [`Error::Ledger`].
    pub fn confirm(&self, name: &str) -> Result<Confirmed, Error> {
        self.once(&Command::Confirm { module: name.to_owned() }, || {
            let module = self.shared.module(name)?;
            trial::confirm(&self.shared, &module, None, &self.context)
        })
    }

    /// Erlang's delete: makes the current version old, without another in its place. New calls answer that there is no
    /// current version, and calls inside finish. A restart does not bring it back; a load does. Without a current version
    /// nothing is done, and the answer says so.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::NotPurged`] if it has an old version; [`Error::Sticky`]; [`Error::Deadline`] if
    /// a load of it takes longer than 30 s; [`Error::Ledger`].
    pub fn delete(&self, name: &str) -> Result<Deleted, Error> {
        self.once(&Command::Delete { module: name.to_owned() }, || {
            delete::run(&self.shared, &self.shared.module(name)?, &self.context)
        })
    }

    /// Makes a module sticky: it is not replaced and not deleted, also after a restart. A rollback to the old version is
    /// still possible.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::Ledger`].
    pub fn stick(&self, name: &str) -> Result<Stickiness, Error> {
        self.set_sticky(Command::Stick { module: name.to_owned() }, name, Sticky::On)
    }

    /// Allows a module to be replaced again, also if its file asks not to be.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::Ledger`].
    pub fn unstick(&self, name: &str) -> Result<Stickiness, Error> {
        self.set_sticky(Command::Unstick { module: name.to_owned() }, name, Sticky::Off)
    }

    fn set_sticky(&self, command: Command, name: &str, sticky: Sticky) -> Result<Stickiness, Error> {
        self.once(&command, || {
            let module = self.shared.module(name)?;
            sticky::set(&self.shared, &module, sticky, &self.context, &command)
        })
    }

    /// The blocked files.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`].
    pub fn blocked(&self) -> Result<Vec<BlockedFile>, Error> {
        block::list(&self.shared)
    }

    /// Allows a blocked file to be loaded again. If it was not blocked nothing is done, and the answer says so.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`].
    pub fn unblock(&self, digest: &Digest) -> Result<Unblocked, Error> {
        let command = Command::Unblock { digest: *digest };
        self.once(&command, || block::unblock(&self.shared, digest, &self.context, &command))
    }

    // === Purges ===

    /// Erlang's soft purge: removes the old version if no call is inside. Otherwise it does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`].
    pub fn soft_purge(&self, name: &str) -> Result<Purged, Error> {
        let module = self.shared.module(name)?;
        Ok(purge::soft(&self.shared, &module))
    }

    /// Erlang's purge: asks the calls inside the old version to end, and waits until it has left memory, at most for this
    /// long. After the deadline the version is quarantined, so a new version can come. It is never removed while a call is
    /// inside. The answer says what keeps it, and it leaves as soon as it can.
    ///
    /// A module sees the request in `is_cancelled` of its `Request` or `Host`; its calls to other modules fail.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]. A deadline that passes is no error: the answer says [`purged: false`](Purged::purged).
    pub fn purge(&self, name: &str, deadline: Duration) -> Result<Purged, Error> {
        let module = self.shared.module(name)?;
        Ok(purge::run(&self.shared, &module, deadline, &self.context.actor))
    }

    // === What there is ===

    /// What is loaded, by name.
    pub fn modules(&self) -> Vec<ModuleStatus> {
        status::all(&self.shared)
    }

    /// What is loaded of one module.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`].
    pub fn status(&self, name: &str) -> Result<ModuleStatus, Error> {
        status::of(&self.shared, name)
    }

    /// What holds the old version of a module and those in quarantine, and what each holder waits for.
    ///
    /// A call is listed with its thread, its age, and the other modules that its thread is in; the call of a
    /// [`RegisteredThread`] also with its request.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`].
    pub fn pins(&self, name: &str) -> Result<Pins, Error> {
        pins::report(&self.shared, name)
    }

    /// The last events of a module, or of all, in order. They include those of earlier runtimes with the same state
    /// directory.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`].
    pub fn history(&self, module: Option<&str>, count_max: usize) -> Result<Vec<Record>, Error> {
        self.shared.events.read_ledger(|ledger| ledger.last_events(module, count_max))
    }

    /// What happened, and what happens.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// How many of the process's pthread keys are in use, by modules or by anything else. There are 1024. A load is refused
    /// when fewer than 64 are left.
    pub fn pthread_keys_in_use(&self) -> usize {
        segue_loader::keys_in_use()
    }

    /// The memory of versions that stay though nobody is inside them, in bytes: their images, and what they have allocated.
    pub fn kept_bytes(&self) -> u64 {
        kept::bytes(&self.shared)
    }

    /// How many images of this runtime's modules are in memory, by the dynamic linker's own list.
    pub fn images_mapped(&self) -> usize {
        segue_loader::mapped_below(&self.shared.state_dir.stage())
    }

    // === The end ===

    /// Ends the runtime. It stops watching, refuses new commands, lets the calls inside finish, and removes every version
    /// from memory. New calls answer that there is no current version.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] if calls, or threads of modules, are left at the deadline. The rest of the work goes on.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        // Taken out of the lock first: its drop waits for the watcher's thread.
        let watch = self.watch.lock().take();
        drop(watch);
        shutdown::run(&self.shared, deadline, &self.context)
    }

    /// Runs a command once for each key.
    fn once<R: DeserializeOwned>(
        &self,
        command: &Command,
        act: impl FnOnce() -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.shared.idempotency_keys.once(&self.shared.events, &self.context, command, act)
    }
}
