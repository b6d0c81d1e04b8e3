//! A runtime in this process, and what tests do with one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use segue::{Builder, Code, Error, Event, LoadOptions, Loaded, ModuleHandle, Policy, Runtime, Source};
use tempfile::TempDir;

use crate::{Gate, V1, fixture, get, names_in, response_text, until};

/// A deadline that no test reaches.
pub const LONG: Duration = Duration::from_secs(30);

/// A deadline that a test means to reach.
pub const SHORT: Duration = Duration::from_millis(50);

/// Options of a load that waits until the old version is gone.
pub const WAIT_FOR_OLD: LoadOptions = LoadOptions { policy: Policy::Wait, deadline: LONG, trial: None };

/// A runtime with its own state directory and no modules directory.
///
/// The fixture `hooks`, which also comes as `hooks-a`, `hooks-b` and `hooks-c`, reads from the state
/// directory what its `on_load` is to do, and writes its starts and ends there.
pub struct TestHost {
    /// The runtime.
    pub runtime: Runtime,
    /// Holds versions of this runtime between two phases.
    pub gate: Gate,
    /// The state directory.
    pub state: TempDir,
}

impl TestHost {
    /// Starts a runtime with the default settings.
    pub fn new() -> Self {
        TestHost::with(|builder| builder)
    }

    /// Starts a runtime with further settings.
    pub fn with(build: impl FnOnce(Builder) -> Builder) -> Self {
        TestHost::in_state(TempDir::new().expect("a temporary directory"), build)
    }

    /// Starts a runtime with the first version of a fixture.
    ///
    /// # Panics
    ///
    /// If it cannot be loaded.
    pub fn serving(module: &str) -> (Self, ModuleHandle) {
        let host = TestHost::new();
        host.load(module, V1).expect("the first version is loaded");
        let module = host.module(module);
        (host, module)
    }

    /// Starts a runtime in a state directory that was used before.
    ///
    /// # Panics
    ///
    /// If the runtime does not start.
    pub fn in_state(state: TempDir, build: impl FnOnce(Builder) -> Builder) -> Self {
        fs::create_dir_all(hooks_dir(state.path())).expect("the state directory is writable");
        let gate = Gate::default();
        let watched = gate.clone();
        let builder =
            Runtime::builder().state_dir(state.path()).observe(move |reached| watched.pass(reached));
        TestHost { runtime: build(builder).build().expect("a runtime"), gate, state }
    }

    /// Shuts the runtime down, and starts another in the same state directory.
    ///
    /// # Panics
    ///
    /// If the shutdown fails or the other runtime does not start.
    #[must_use]
    pub fn restarted(self) -> Self {
        self.runtime.shutdown(LONG).expect("the runtime shuts down");
        let TestHost { runtime, state, .. } = self;
        drop(runtime);
        TestHost::in_state(state, |builder| builder)
    }

    /// Loads a version of a fixture.
    pub fn load(&self, module: &str, version: &str) -> Result<Loaded, Error> {
        self.runtime.load(fixture(module, version))
    }

    /// Loads a version of a fixture as soon as the old version is gone.
    pub fn load_after_old(&self, module: &str, version: &str) -> Result<Loaded, Error> {
        self.runtime.load_with(&Source::File(fixture(module, version)), &WAIT_FOR_OLD)
    }

    /// Loads a version of several fixtures as one set.
    pub fn load_set(&self, modules: &[&str], version: &str) -> Result<Vec<Loaded>, Error> {
        self.runtime.load_set(&set_of(modules, version), &LoadOptions::default())
    }

    /// A handle to a module that is loaded.
    ///
    /// # Panics
    ///
    /// If there is no such module.
    pub fn module(&self, name: &str) -> ModuleHandle {
        self.runtime.module(name).expect("the module is loaded")
    }

    /// The text that a module answers, or the text of the error.
    pub fn ask(&self, module: &str, target: &str) -> Result<String, String> {
        response_text(self.runtime.module(module).map_err(|error| error.to_string())?.call(&get(target)))
    }

    /// Waits until a module has no old version.
    pub fn wait_until_old_is_gone(&self, module: &str) {
        until("old is unloaded", || self.runtime.status(module).expect("the module is known").old.is_none());
    }

    /// How many calls are inside a module's current version.
    pub fn calls_inside(&self, module: &str) -> u64 {
        self.runtime.status(module).expect("the module is known").current.map_or(0, |current| current.inside)
    }

    /// The events that are still in memory.
    pub fn events(&self) -> Vec<Event> {
        self.runtime.events().recent(0).into_iter().map(|record| record.event).collect()
    }

    /// The codes of all refusals in [`TestHost::events`].
    pub fn refusals(&self) -> Vec<Code> {
        let codes = self.events().into_iter().filter_map(|event| match event {
            Event::Refused { error, .. } => Some(error.code),
            _ => None,
        });
        codes.collect()
    }

    /// How many private copies of module files there are.
    pub fn staged(&self) -> usize {
        names_in(&self.state.path().join("stage")).len()
    }

    /// Sets what the `on_load` of one of the `hooks` does: one step a line.
    pub fn script(&self, module: &str, version: &str, lines: &str) {
        script_in(self.state.path(), module, version, lines);
    }

    /// Creates the file that a step of one of the `hooks` waits for.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn release(&self, file: &str) {
        fs::write(self.hook(file), "go").expect("the state directory is writable");
    }

    /// The starts and ends of the `hooks`, as they wrote them.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.hook("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// How many lines of [`TestHost::log`] have this prefix.
    pub fn logged(&self, prefix: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(prefix)).count()
    }

    fn hook(&self, file: &str) -> PathBuf {
        hooks_dir(self.state.path()).join(file)
    }
}

impl Default for TestHost {
    fn default() -> Self {
        TestHost::new()
    }
}

fn hooks_dir(state: &Path) -> PathBuf {
    state.join("hooks")
}

/// The same as [`TestHost::script`], before the runtime starts.
///
/// # Panics
///
/// If the script cannot be written.
pub fn script_in(state: &Path, module: &str, version: &str, lines: &str) {
    fs::create_dir_all(hooks_dir(state)).expect("the state directory is writable");
    fs::write(hooks_dir(state).join(format!("{module}-{version}")), lines).expect("the script is written");
}

/// A version of several fixtures, as the sources of a set.
pub fn set_of(modules: &[&str], version: &str) -> Vec<Source> {
    modules.iter().map(|module| Source::File(fixture(module, version))).collect()
}

/// What one of the `hooks` answers to `/` in this version. An answer with parts of two versions differs.
pub fn hooks_answer(version: &str) -> Result<String, String> {
    Ok(format!("{version} {version} {version}"))
}

/// The code of a refusal.
///
/// # Panics
///
/// If there is none.
pub fn refusal<T>(result: Result<T, Error>) -> Code {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.code(),
    }
}
