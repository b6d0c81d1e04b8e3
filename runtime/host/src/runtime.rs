//! The modules of a process, and what may be done with them.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use segue_loader::Candidate;

use crate::command::Command;
use crate::{
    Asked, Builder, Digest, Error, Events, LoadOptions, Loaded, ModuleHandle, ModuleStatus, Resident, Source,
    kept, load,
    module::Module,
    shared::{Shared, no_such_module},
    shutdown,
    watch::Watch,
};
use crate::{
    load::{Purpose, Terms},
    trial,
};

/// The modules of a process: loads them, hands out handles to them, and takes old versions out of memory.
///
/// Cheap to clone; all clones are one runtime. It ends with [`shutdown`](Runtime::shutdown). Where the last clone is
/// dropped without that, the versions that are current stay in memory: somebody may be inside.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
    /// The watch of the modules directory, until the runtime is shut down.
    pub(crate) watch: Arc<Mutex<Option<Watch>>>,
    /// Who asks through this clone.
    pub(crate) asked: Asked,
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
        let command = Command::load(sources);
        self.once(&command, || {
            let plan = Terms::of(Purpose::Load, self.asked.clone(), Instant::now())
                .with_options(options, trial::WATCH);
            load::run(&self.shared, sources, Terms { command: Some(command.clone()), ..plan })
        })
    }

    /// The same runtime, for somebody: what is asked through it is recorded as asked by them, and done once for each key.
    #[must_use]
    pub fn on_behalf_of(&self, asked: Asked) -> Runtime {
        Runtime { shared: self.shared.clone(), watch: self.watch.clone(), asked }
    }

    /// Puts a file into the store of the state directory, so that [`Source::Stored`] can load it.
    ///
    /// # Errors
    ///
    /// Where it is no module that this runtime can take, and where the store cannot be written.
    pub fn put_image(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let candidate = Candidate::from_bytes(bytes.to_owned());
        let digest = candidate.digest();
        let path = || self.shared.state.image(&digest);
        candidate.inspect().map_err(|source| Error::Check { path: path(), source })?;
        self.shared.state.put(&digest, bytes)?;
        Ok(digest)
    }

    /// The handle to a module: it can be called, on whatever version is current at each call.
    ///
    /// # Errors
    ///
    /// Where no version of it was ever loaded, and none is starting.
    pub fn module(&self, name: &str) -> Result<ModuleHandle, Error> {
        self.shared.module(name).map(ModuleHandle::new)
    }

    /// What is loaded, by name.
    pub fn modules(&self) -> Vec<ModuleStatus> {
        let modules: Vec<Arc<Module>> = self.shared.modules.read().values().cloned().collect();
        let status = |module: &Arc<Module>| {
            module.status(&self.shared.residents, kept::releases_left(&self.shared, module))
        };
        modules.iter().filter_map(status).collect()
    }

    /// What is loaded of one module.
    ///
    /// # Errors
    ///
    /// Where no version of it was ever loaded.
    pub fn status(&self, name: &str) -> Result<ModuleStatus, Error> {
        let module = self.shared.module(name)?;
        let releases_left = kept::releases_left(&self.shared, &module);
        module.status(&self.shared.residents, releases_left).ok_or_else(|| no_such_module(name))
    }

    /// What happened.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// Makes the calling thread a resident: a thread that takes part in purges. See [`Resident`].
    pub fn resident(&self) -> Resident {
        Resident::new(self.shared.residents.clone())
    }

    /// How many of the process's pthread keys are taken, by modules or by anybody. There are 1024; a load is refused when
    /// fewer than 64 are left.
    pub fn keys_in_use(&self) -> usize {
        segue_loader::keys_in_use()
    }

    /// The memory of versions that stay though nobody is inside them, in bytes: their images, and what they have allocated.
    pub fn kept_bytes(&self) -> u64 {
        kept::bytes(&self.shared)
    }

    /// How many images of this runtime's modules are in memory, by the dynamic linker's own list.
    pub fn images_mapped(&self) -> usize {
        segue_loader::mapped_below(&self.shared.state.stage())
    }

    /// Ends the runtime: stops watching, takes nothing new, lets the calls inside finish, and takes every version out of
    /// memory. Calls that come meanwhile answer that there is no current version.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] where calls, or threads of modules, are left at the deadline. What is left of the work goes on.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        // Out of the lock: it waits for the watcher's thread.
        let watch = self.watch.lock().take();
        drop(watch);
        shutdown::run(&self.shared, Instant::now().checked_add(deadline), &self.asked).then_some(()).ok_or(
            Error::Deadline {
                module: None,
                what: "the end of all calls and of the modules' threads".to_owned(),
                after: deadline,
            },
        )
    }
}
