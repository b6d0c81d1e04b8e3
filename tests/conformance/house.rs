//! What the tests of this suite share: a runtime whose modules' `on_load` can be told what to do, and a gate
//! that holds a version's way in or out between two phases.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use segue::{
    Builder, CallError, Code, Error, Event, LoadOptions, Loaded, ModuleHandle, Phase, Policy, Reply, Request,
    Runtime, Source,
};
use segue_tests::{fixture, names_in, until};
use tempfile::TempDir;

/// For what must not come to its end by the clock.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// For what is to come to its end by the clock.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// Loads that wait for the old version.
pub(crate) const PATIENT: LoadOptions = LoadOptions { policy: Policy::Wait, deadline: LONG, trial: None };

/// A runtime in a state directory of its own.
pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) gate: Gate,
    pub(crate) state: TempDir,
}

/// Holds whoever has completed a phase.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Shared>);

#[derive(Default)]
struct Shared {
    closed: Mutex<Option<Closed>>,
    changed: Condvar,
}

struct Closed {
    module: String,
    phase: Phase,
    /// The generation that is held.
    held: Option<u64>,
}

/// Tells those who go on until it is over that it is: also where the test fails, so that it can end.
pub(crate) struct AtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// === impl House ===

impl House {
    pub(crate) fn new() -> Self {
        House::built(|builder| builder)
    }

    pub(crate) fn built(build: impl FnOnce(Builder) -> Builder) -> Self {
        House::in_state(TempDir::new().unwrap(), build)
    }

    /// A runtime in a state directory that was used before.
    pub(crate) fn in_state(state: TempDir, build: impl FnOnce(Builder) -> Builder) -> Self {
        fs::create_dir_all(state.path().join("hooks")).unwrap();
        let gate = Gate::default();
        let watched = gate.clone();
        let builder = Runtime::builder().state_dir(state.path());
        let builder =
            builder.observe(move |reached| watched.pass(reached.module, reached.generation, reached.phase));
        House { runtime: build(builder).build().unwrap(), gate, state }
    }

    /// Ends the runtime, and begins another in the same state directory.
    pub(crate) fn restarted(self) -> Self {
        self.runtime.shutdown(LONG).unwrap();
        let House { runtime, state, .. } = self;
        drop(runtime);
        House::in_state(state, |builder| builder)
    }

    pub(crate) fn load(&self, module: &str, version: &str) -> Result<Loaded, Error> {
        self.runtime.load(fixture(module, version))
    }

    /// Loads a version as soon as the old one has left.
    pub(crate) fn follow(&self, module: &str, version: &str) -> Result<Loaded, Error> {
        self.runtime.load_with(&Source::File(fixture(module, version)), &PATIENT)
    }

    /// Loads modules in one version, as one.
    pub(crate) fn load_set(&self, modules: &[&str], version: &str) -> Result<Vec<Loaded>, Error> {
        self.runtime.load_set(&set(modules, version), &LoadOptions::default())
    }

    pub(crate) fn module(&self, name: &str) -> ModuleHandle {
        self.runtime.module(name).unwrap()
    }

    /// What a module answers; or why it does not.
    pub(crate) fn ask(&self, module: &str, target: &str) -> Result<String, String> {
        text(self.runtime.module(module).map_err(|error| error.to_string())?.call(&get(target)))
    }

    pub(crate) fn old_is_gone(&self, module: &str) {
        until("old has left memory", || self.runtime.status(module).unwrap().old.is_none());
    }

    /// The calls inside a module's current version.
    pub(crate) fn inside(&self, module: &str) -> u64 {
        self.runtime.status(module).unwrap().current.map_or(0, |current| current.inside)
    }

    /// Tells the `on_load` of one of the `hooks` what to do, line by line.
    pub(crate) fn script(&self, module: &str, version: &str, lines: &str) {
        script_in(self.state.path(), module, version, lines);
    }

    /// Makes the file for which somebody in one of the `hooks` waits.
    pub(crate) fn release(&self, file: &str) {
        fs::write(self.hook(file), "go").unwrap();
    }

    /// The starts and ends of the `hooks`, as they have written them down.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.hook("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// How many lines of the log begin so.
    pub(crate) fn logged(&self, beginning: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(beginning)).count()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.runtime.events().recent(0).into_iter().map(|record| record.event).collect()
    }

    /// The codes of all refusals that were told.
    pub(crate) fn refusals(&self) -> Vec<Code> {
        let codes = self.events().into_iter().filter_map(|event| match event {
            Event::Refused { error, .. } => Some(error.code),
            _ => None,
        });
        codes.collect()
    }

    /// How many private copies there are.
    pub(crate) fn staged(&self) -> usize {
        names_in(&self.state.path().join("stage")).len()
    }

    fn hook(&self, file: &str) -> PathBuf {
        self.state.path().join("hooks").join(file)
    }
}

// === impl Gate ===

impl Gate {
    /// From now on a version of this module that completes this phase is held there.
    pub(crate) fn close(&self, module: &str, phase: Phase) {
        *self.0.closed.lock() = Some(Closed { module: module.to_owned(), phase, held: None });
    }

    /// Waits until one is held; answers which.
    pub(crate) fn holds(&self) -> u64 {
        let deadline = Instant::now() + LONG;
        let mut closed = self.0.closed.lock();
        loop {
            let gate = closed.as_ref().expect("the gate is closed");
            if let Some(generation) = gate.held {
                return generation;
            }
            let (module, phase) = (gate.module.clone(), gate.phase);
            let timed_out = self.0.changed.wait_until(&mut closed, deadline).timed_out();
            assert!(!timed_out, "nobody of {module} has completed {phase:?}");
        }
    }

    /// Lets go whoever is held.
    pub(crate) fn open(&self) {
        *self.0.closed.lock() = None;
        self.0.changed.notify_all();
    }

    fn pass(&self, module: &str, generation: u64, phase: Phase) {
        // A test that failed opens no gate: then its threads end all the same.
        let deadline = Instant::now() + 2 * LONG;
        let mut closed = self.0.closed.lock();
        while let Some(gate) = closed.as_mut().filter(|gate| gate.module == module && gate.phase == phase) {
            if gate.held.is_none() {
                gate.held = Some(generation);
                self.0.changed.notify_all();
            }
            if gate.held != Some(generation) || self.0.changed.wait_until(&mut closed, deadline).timed_out() {
                return;
            }
        }
    }
}

/// As [`House::script`], for a runtime to come.
pub(crate) fn script_in(state: &Path, module: &str, version: &str, lines: &str) {
    fs::create_dir_all(state.join("hooks")).unwrap();
    fs::write(state.join("hooks").join(format!("{module}-{version}")), lines).unwrap();
}

/// Modules in one version.
pub(crate) fn set(modules: &[&str], version: &str) -> Vec<Source> {
    modules.iter().map(|module| Source::File(fixture(module, version))).collect()
}

/// A request for a path, and perhaps a query.
pub(crate) fn get(target: &str) -> Request<'_> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request { query, ..Request::get(path) }
}

/// What was answered, as text; or why nothing was.
pub(crate) fn text(answer: Result<Reply, CallError>) -> Result<String, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer.body).unwrap())
}

/// What one of the `hooks` in this version answers to `/`: never parts of two versions.
pub(crate) fn told(version: &str) -> Result<String, String> {
    Ok(format!("{version} {version} {version}"))
}

/// Why something was refused.
pub(crate) fn code<T>(result: Result<T, Error>) -> Code {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.code(),
    }
}
