//! The modules of a process, and what may be done with them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use segue_loader::{Candidate, CrashReports};

use crate::{
    Asked, Builder, Digest, Error, Event, Events, LoadOptions, Loaded, ModuleHandle, ModuleStatus, Resident,
    Source, first::Waits, journey::Journeys, load, module::Module, once::Keys, options::Limits,
    passers::Passers, phase::Observer, resident::Residents, state_dir::StateDir, watch::Watch,
};

/// The modules of a process: loads them, hands out handles to them, and takes old versions out of memory.
///
/// Cheap to clone; all clones are one runtime. It ends with [`shutdown`](Runtime::shutdown). Where the last clone is
/// dropped without that, the versions that are current stay in memory: somebody may be inside.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
    /// Who asks through this clone.
    pub(crate) asked: Asked,
}

/// What all clones, and the runtime's threads, share.
pub(crate) struct Inner {
    pub(crate) modules: RwLock<BTreeMap<String, Arc<Module>>>,
    pub(crate) events: Events,
    pub(crate) state: StateDir,
    pub(crate) residents: Arc<Residents>,
    pub(crate) passers: Arc<Passers>,
    pub(crate) limits: Limits,
    pub(crate) journeys: Arc<Journeys>,
    /// The generation that the next load gets. Only counted: Relaxed is enough.
    pub(crate) next_generation: AtomicU64,
    /// Set once, by `shutdown`. Nothing else is told by it: Relaxed is enough.
    pub(crate) is_closing: AtomicBool,
    pub(crate) watch: Mutex<Option<Watch>>,
    pub(crate) observer: Observer,
    pub(crate) keys: Keys,
    pub(crate) waits: Waits,
    /// Written while versions become current or cease to be, for the moment of the stores; read by whoever wants to find all modules
    /// as they are at one time.
    pub(crate) changing: RwLock<()>,
    /// Where a crash of one of its versions is told; none where nothing is to be told.
    pub(crate) crash_reports: OnceLock<CrashReports>,
}

// === impl Runtime ===

impl Runtime {
    /// Begins to make a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Loads a file and makes it current, as [`load_with`](Runtime::load_with) does with the default options.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Loaded, Error> {
        self.load_with(&Source::File(path.as_ref().to_owned()), &LoadOptions::default())
    }

    /// Loads a module and makes it current. It returns when new calls enter it; what was current finishes its calls and
    /// then leaves memory by itself.
    ///
    /// Do not call it from inside a module: the load of a module waits for the one before it.
    ///
    /// # Errors
    ///
    /// Whatever it says, nothing has changed: what was current is current. The error names the step and the reason.
    pub fn load_with(&self, source: &Source, options: &LoadOptions) -> Result<Loaded, Error> {
        let loaded = self.load_set(std::slice::from_ref(source), options)?;
        loaded
            .into_iter()
            .next()
            .ok_or_else(|| Error::Internal { what: "a load without an answer".to_owned() })
    }

    /// Loads several modules as one: all are staged, checked and started, and then all become current by one transaction of the
    /// ledger and one store each; or none does. A member whose file is current already is `unchanged`.
    ///
    /// Members may call each other, in their `on_load` too, through interfaces as they will be; until all are current such a call
    /// goes to what is current. Whoever wants to see all modules as they were before, or as they are after, and nothing in between,
    /// enters them through a [`snapshot`](Runtime::snapshot).
    ///
    /// # Errors
    ///
    /// Whatever it says, nothing has changed. Where several members are refused, [`Error::Set`] has the reason of each.
    pub fn load_set(&self, sources: &[Source], options: &LoadOptions) -> Result<Vec<Loaded>, Error> {
        self.once(&load::command(sources), || self.inner.load(sources, options, &self.asked))
    }

    /// The same runtime, for somebody: what is asked through it is recorded as asked by them, and done once for each key.
    #[must_use]
    pub fn on_behalf_of(&self, asked: Asked) -> Runtime {
        Runtime { inner: self.inner.clone(), asked }
    }

    /// Puts a file into the store of the state directory, so that [`Source::Stored`] can load it.
    ///
    /// # Errors
    ///
    /// Where it is no module that this runtime can take, and where the store cannot be written.
    pub fn put_image(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let candidate = Candidate::from_bytes(bytes.to_owned());
        let digest = candidate.digest();
        let path = || self.inner.state.image(&digest);
        candidate.inspect().map_err(|source| Error::Check { path: path(), source })?;
        self.inner.state.put(&digest, bytes)?;
        Ok(digest)
    }

    /// The handle to a module: it can be called, on whatever version is current at each call.
    ///
    /// # Errors
    ///
    /// Where no version of it was ever loaded, and none is starting.
    pub fn module(&self, name: &str) -> Result<ModuleHandle, Error> {
        self.inner.module(name).map(ModuleHandle::new)
    }

    /// What is loaded, by name.
    pub fn modules(&self) -> Vec<ModuleStatus> {
        let modules: Vec<Arc<Module>> = self.inner.modules.read().values().cloned().collect();
        let status =
            |module: &Arc<Module>| module.status(&self.inner.residents, self.inner.releases_left(module));
        modules.iter().filter_map(status).collect()
    }

    /// What is loaded of one module.
    ///
    /// # Errors
    ///
    /// Where no version of it was ever loaded.
    pub fn status(&self, name: &str) -> Result<ModuleStatus, Error> {
        let module = self.inner.module(name)?;
        let releases_left = self.inner.releases_left(&module);
        module.status(&self.inner.residents, releases_left).ok_or_else(|| no_such_module(name))
    }

    /// What happened.
    pub fn events(&self) -> &Events {
        &self.inner.events
    }

    /// Makes the calling thread a resident: a thread that takes part in purges. See [`Resident`].
    pub fn resident(&self) -> Resident {
        Resident::new(self.inner.residents.clone())
    }

    /// How many of the process's pthread keys are taken, by modules or by anybody. There are 1024; a load is refused when
    /// fewer than 64 are left.
    pub fn keys_in_use(&self) -> usize {
        segue_loader::keys_in_use()
    }

    /// The memory of versions that stay though nobody is inside them, in bytes: their images, and what they have allocated.
    pub fn kept_bytes(&self) -> u64 {
        self.inner.kept_bytes()
    }

    /// How many images of this runtime's modules are in memory, by the dynamic linker's own list.
    pub fn images_mapped(&self) -> usize {
        segue_loader::mapped_below(&self.inner.state.stage())
    }

    /// Ends the runtime: stops watching, takes nothing new, lets the calls inside finish, and takes every version out of
    /// memory. Calls that come meanwhile answer that there is no current version.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] where calls, or threads of modules, are left at the deadline. What is left of the work goes on.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.inner.shutdown(Instant::now().checked_add(deadline), &self.asked).then_some(()).ok_or(
            Error::Deadline {
                module: None,
                what: "the end of all calls and of the modules' threads".to_owned(),
                after: deadline,
            },
        )
    }
}

// === impl Inner ===

impl Inner {
    /// A module of which a version was loaded, or is starting.
    pub(crate) fn module(&self, name: &str) -> Result<Arc<Module>, Error> {
        let module = self.modules.read().get(name).cloned().ok_or_else(|| no_such_module(name))?;
        // One whose first version is starting can be had already: whoever calls it waits for that, and asking for it must not.
        let is_there = {
            let book = module.book();
            book.is_known || book.starting.is_some()
        };
        if is_there { Ok(module) } else { Err(no_such_module(name)) }
    }

    /// The module of this name, made where there is none. It is shown to nobody until a version of it is current.
    pub(crate) fn module_to_be(&self, name: &str) -> Arc<Module> {
        if let Some(module) = self.modules.read().get(name) {
            return module.clone();
        }
        self.modules
            .write()
            .entry(name.to_owned())
            .or_insert_with(|| Module::new(name, &self.events, &self.passers, self.limits.first_patience))
            .clone()
    }

    pub(crate) fn new_generation(&self) -> u64 {
        self.next_generation.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Without a deadline it waits for ever.
    fn shutdown(self: &Arc<Self>, deadline: Option<Instant>, asked: &Asked) -> bool {
        self.is_closing.store(true, Ordering::Relaxed);
        // Outside of the lock: it waits for the watcher's thread.
        let watch = self.watch.lock().take();
        drop(watch);
        let modules: Vec<Arc<Module>> = self.modules.read().values().cloned().collect();
        let mut all = true;
        for module in modules {
            // A load that waits for its old version gives up.
            module.tell_change();
            all &= self.withdraw(&module).is_ok();
        }
        all &= self.journeys.wait(deadline);
        // Otherwise there is more to come.
        if all {
            self.events.push(&asked.by, Event::Stopped { pid: std::process::id() });
            self.events.close();
        }
        all
    }
}

fn no_such_module(name: &str) -> Error {
    Error::NoSuchModule { name: name.to_owned() }
}
