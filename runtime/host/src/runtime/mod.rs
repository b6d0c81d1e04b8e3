//! The public methods of [`Runtime`] and [`Builder`](builder::Builder). All commands are on this page. A line
//! belongs here if it is one of these methods, or if it starts or stops a runtime. Each delegates to a room.
//! Every room may be used here, and no room may use this one.

pub(crate) mod builder;
mod queries;
mod shutdown;

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
        Command, Confirmed, Deleted, Error, LoadOptions, Loaded, Purged, RequestContext, RolledBack, Source,
        Stickiness, Unblocked,
    },
    call::{handle::ModuleHandle, interface::InterfaceHandle, snapshot::Snapshot},
    intake,
    load::{self, LoadKind, LoadPlan},
    purge,
    rollout::{
        block, delete, rollback,
        sticky::{self, Sticky},
        trial,
    },
    shared::Shared,
    threads::registered::RegisteredThread,
    watch::Watch,
};

/// The modules of a process. It loads them, gives out handles to them, and unloads old versions.
///
/// All clones are the same runtime, and a clone is cheap. End it with [`shutdown`](Runtime::shutdown). If you
/// drop the last clone without that, the current versions stay in memory, because calls may be inside.
///
/// Commands block until their effect has happened. They may be called from any thread, but not from module
/// code: a load waits for earlier loads of the module and for `on_load`, and a purge waits for calls.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
    /// The watch of the modules directory, until the runtime shuts down.
    watch: Arc<Mutex<Option<Watch>>>,
    /// The actor of the commands that are sent through this clone.
    context: RequestContext,
}

impl Runtime {
    /// A clone whose commands are recorded with this actor. If the context has an idempotency key, a command
    /// runs once for the key, and each repetition returns the stored answer.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), segue::Error> {
    /// # let runtime = segue::Runtime::builder().build()?;
    /// let context = segue::RequestContext { key: Some("release-42".to_owned()), ..Default::default() };
    /// runtime.on_behalf_of(context).load("libshop.so")?; // safe to repeat after a lost answer
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_behalf_of(&self, context: RequestContext) -> Runtime {
        Runtime { shared: self.shared.clone(), watch: self.watch.clone(), context }
    }

    // === Calls ===

    /// A handle to a module. Each call through it goes to the version that is current at that moment.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`] if no version of it was ever loaded, and none is starting.
    pub fn module(&self, name: &str) -> Result<ModuleHandle, Error> {
        self.shared.module(name).map(ModuleHandle::new)
    }

    /// A handle to a typed interface of a module. The current version is checked now. While the handle
    /// exists, each version that becomes current must match it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`] if no version of the module was ever loaded, and none is starting.
    /// [`Error::Interface`] if the current version does not export the interface, or exports it in an
    /// incompatible form.
    pub fn interface<I: Interface>(&self, module: &str) -> Result<InterfaceHandle<I>, Error> {
        InterfaceHandle::new(self.shared.module(module)?)
    }

    /// All modules as they are now. [`Snapshot`] describes its costs.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.shared.publish_lock, &self.shared.modules)
    }

    /// Registers the calling thread, so that it takes part in purges; see [`RegisteredThread`].
    pub fn register_thread(&self) -> RegisteredThread {
        RegisteredThread::new(self.shared.registered.clone())
    }

    // === Loads ===

    /// Loads a file and makes it current, with the [default options](LoadOptions::default): it is refused if
    /// there is an old version, has a deadline of 30 s, and is confirmed at once.
    ///
    /// # Errors
    ///
    /// The errors of [`load_with`](Runtime::load_with).
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Loaded, Error> {
        self.load_with(&Source::File(path.as_ref().to_owned()), &LoadOptions::default())
    }

    /// Loads a module and makes it current. Returns when new calls enter the new version. The version that
    /// was current finishes its calls, and the runtime then unloads it. If the file is current already,
    /// nothing changes.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use segue::{LoadOptions, Policy, Source, Trial, TrialEnd};
    ///
    /// # fn main() -> Result<(), segue::Error> {
    /// # let runtime = segue::Runtime::builder().build()?;
    /// let trial = Trial { length: Duration::from_secs(300), at_end: TrialEnd::RollBack };
    /// let options = LoadOptions { policy: Policy::Wait, trial: Some(trial), ..LoadOptions::default() };
    /// let loaded = runtime.load_with(&Source::File("libshop.so".into()), &options)?;
    /// println!("{} {} is current after {} µs", loaded.module, loaded.version, loaded.took_us.total);
    /// runtime.confirm("shop")?; // without this, the trial ends with a rollback after 5 minutes
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If it fails, nothing has changed. The error names the step and the reason.
    pub fn load_with(&self, source: &Source, options: &LoadOptions) -> Result<Loaded, Error> {
        let loaded = self.load_set(slice::from_ref(source), options)?.into_iter().next();
        loaded.ok_or_else(|| Error::Internal { what: "a load returned no answer".to_owned() })
    }

    /// Loads several modules as one set: all become current, or none. First all are staged, checked and
    /// started. Then one ledger transaction records them, and one atomic store for each makes it current. A
    /// member whose file is current already is `unchanged`. The answers are in the order of the sources.
    ///
    /// During their `on_load`, members see the interfaces that the other members will have. Until all are
    /// current, a call to another member goes to the version that is current. A
    /// [`snapshot`](Runtime::snapshot) shows all modules before the set or all after it, and nothing in
    /// between.
    ///
    /// # Errors
    ///
    /// If it fails, nothing has changed. If several members are refused, [`Error::Set`] has the error of
    /// each.
    pub fn load_set(&self, sources: &[Source], options: &LoadOptions) -> Result<Vec<Loaded>, Error> {
        let command = Command::load(sources);
        self.once(&command, || {
            let plan = LoadPlan::new(LoadKind::Load, self.context.clone(), Instant::now())
                .with_options(options, trial::WATCH);
            load::run(&self.shared, sources, LoadPlan { command: Some(command.clone()), ..plan })
        })
    }

    /// Writes a file to the store of the state directory, so that [`Source::Stored`] can load it.
    ///
    /// # Errors
    ///
    /// [`Error::Check`] if this runtime cannot load it. [`Error::Store`] if the store cannot be written.
    pub fn put_image(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        intake::inspect(bytes, &self.shared.state_dir.image(&digest))?;
        self.shared.state_dir.put(&digest, bytes)?;
        Ok(digest)
    }

    // === Policies over versions ===

    /// Makes the previous version current again, and the current version old.
    ///
    /// The previous version is in memory while calls are inside it, and during a trial. Then the rollback is
    /// one atomic store. Otherwise its file is loaded again from the store of the state directory, with all
    /// checks.
    ///
    /// A rollback in memory happens first and is recorded afterwards, so a full disk cannot prevent it.
    /// [`RolledBack::recorded`] says whether a restart preserves it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]. [`Error::NothingToRollBack`] if there is no earlier confirmed version.
    /// [`Error::Interface`] if a caller has a typed handle that the previous version does not match. If its
    /// file is loaded again, also the errors of a load.
    pub fn rollback(&self, name: &str) -> Result<RolledBack, Error> {
        let command = Command::Rollback { module: name.to_owned() };
        self.once(&command, || {
            rollback::run(&self.shared, &self.shared.module(name)?, None, &self.context, &command)
        })
    }

    /// Ends the trial of a module's current version. From now on a restart returns to this version, and the
    /// previous version is unloaded when no call is inside. If there is no trial, nothing changes, and the
    /// answer says so.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::NoCurrent`]; [`Error::Ledger`].
    pub fn confirm(&self, name: &str) -> Result<Confirmed, Error> {
        let command = Command::Confirm { module: name.to_owned() };
        self.once(&command, || {
            trial::confirm(&self.shared, &*self.shared.module(name)?, None, &self.context, &command)
        })
    }

    /// Makes the current version old, with no successor, as Erlang's `code:delete` does. Calls inside finish.
    /// New calls fail with [`CallFailure::NoCurrent`](crate::CallFailure::NoCurrent). A restart does not
    /// restore the module; a load does. If there is no current version, nothing changes, and the answer says
    /// so.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]. [`Error::NotPurged`] if there is an old version. [`Error::Sticky`].
    /// [`Error::Deadline`] if another load of the module runs for longer than 30 s. [`Error::Ledger`].
    pub fn delete(&self, name: &str) -> Result<Deleted, Error> {
        let command = Command::Delete { module: name.to_owned() };
        self.once(&command, || delete::run(&self.shared, &self.shared.module(name)?, &self.context, &command))
    }

    /// Makes a module sticky: loads and deletes of it fail with [`Error::Sticky`], also after a restart. A
    /// rollback to the old version is still possible.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]; [`Error::Ledger`].
    pub fn stick(&self, name: &str) -> Result<Stickiness, Error> {
        self.set_sticky(Command::Stick { module: name.to_owned() }, name, Sticky::On)
    }

    /// Makes a module not sticky, even if its file asks to be.
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

    /// Allows a blocked file to be loaded again. If it is not blocked, nothing changes, and the answer says
    /// so.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`].
    pub fn unblock(&self, digest: &Digest) -> Result<Unblocked, Error> {
        let command = Command::Unblock { digest: *digest };
        self.once(&command, || block::unblock(&self.shared, digest, &self.context, &command))
    }

    // === Purges ===

    /// Unloads the old version if no call is inside, and waits for it, at most 10 s. If calls are inside, it
    /// does nothing. [`Purged::purged`] says which. As Erlang's `code:soft_purge`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`].
    pub fn soft_purge(&self, name: &str) -> Result<Purged, Error> {
        let module = self.shared.module(name)?;
        Ok(purge::soft(&self.shared, &module))
    }

    /// Asks the calls inside the old version to end, and waits until it is unloaded, at most for `timeout`.
    /// If it is not unloaded by then, it is quarantined, so a new version can be loaded. The answer lists its
    /// [pins](crate::Pin), and the runtime unloads it as soon as nothing pins it. A version is never unloaded
    /// while a call is inside. As Erlang's `code:purge`, but it ends no call by force.
    ///
    /// A module sees the request in `is_cancelled` of its `Request` or `Host`. Its calls to other modules
    /// fail.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), segue::Error> {
    /// # let runtime = segue::Runtime::builder().build()?;
    /// let purged = runtime.purge("shop", std::time::Duration::from_secs(10))?;
    /// for pin in purged.pins {
    ///     println!("{}; waits for {}", pin.detail, pin.waits_for);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchModule`]. A timeout is not an error: then [`Purged::purged`] is false.
    pub fn purge(&self, name: &str, timeout: Duration) -> Result<Purged, Error> {
        let module = self.shared.module(name)?;
        Ok(purge::run(&self.shared, &module, timeout, &self.context.actor))
    }

    // === The end ===

    /// Shuts the runtime down: it stops watching the modules directory, refuses new commands, lets the calls
    /// inside finish, and unloads every version. New calls fail with
    /// [`CallFailure::NoCurrent`](crate::CallFailure::NoCurrent).
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] if calls or threads of modules are left after `timeout`. The shutdown continues in
    /// the background.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), Error> {
        // Moved out of the lock first: its drop waits for the watcher's thread.
        let watch = self.watch.lock().take();
        drop(watch);
        shutdown::run(&self.shared, timeout, &self.context)
    }

    /// Runs a command once for its idempotency key.
    fn once<R: DeserializeOwned>(
        &self,
        command: &Command,
        act: impl FnOnce() -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.shared.idempotency_keys.once(&self.shared.events, &self.context, command, act)
    }
}
