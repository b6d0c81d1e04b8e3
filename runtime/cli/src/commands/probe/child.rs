//! The process of the probe: loads the module with a real runtime, calls it, replaces it with itself, purges it, and looks at
//! what is different afterwards.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use segue::{ErrorObject, Event, FileReport, LoadOptions, Policy, Runtime, Source, VersionId};

use super::{
    Plan,
    callers::Callers,
    growth,
    process::Process,
    report::{Leaving, Measured, Spread, Stay, StayKind, Told},
};
use crate::Error;

/// How long a version may take to leave before the probe says that it stays.
const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// How long threads may wait after their version before the runtime ends them. Less than for a server: this process serves no clients.
const IDLE_PATIENCE: Duration = Duration::from_millis(300);
/// How long the system may take to forget a thread that has ended.
const SETTLE: Duration = Duration::from_millis(500);
/// How often is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What the second file has behind its last byte: other bytes are another digest, and the dynamic linker ignores them.
const STAMP: &[u8] = b"segue probe\n";

/// The file that the process tells the command through, in the probe's directory.
pub(super) const TOLD: &str = "told.json";
/// The directory of the probe's runtime, in the probe's directory.
pub(super) const STATE: &str = "state";

/// A probe that goes on.
struct Probe<'a> {
    plan: &'a Plan,
    home: &'a Path,
    module: String,
    files: [PathBuf; 2],
    runtime: Runtime,
    told: Told,
    /// The last event that was read.
    seen: u64,
    /// The mappings after each round.
    mappings: Vec<i64>,
    /// The pthread keys that were taken when the first version had left: the first load takes some for the runtime.
    first_keys: Option<usize>,
}

/// Runs the probe in this process. `home` is a directory for this probe alone.
pub(super) fn run(plan: &Plan, report: &FileReport, home: &Path) -> Result<(), Error> {
    // As the command sees it: a link in the path would hide whose files are open.
    let home = &home.canonicalize().map_err(failed(home))?;
    let state = home.join(STATE);
    let mut probe = Probe {
        plan,
        home,
        module: report.metadata.name.clone(),
        files: [plan.file.clone(), second_file(&plan.file, home).map_err(failed(home))?],
        runtime: Runtime::builder().state_dir(&state).idle_thread_timeout(IDLE_PATIENCE).build()?,
        told: Told::default(),
        seen: 0,
        mappings: Vec::new(),
        first_keys: None,
    };
    let callers = Callers::start(&probe.runtime, plan.threads, &plan.requests).map_err(failed(home))?;
    let mut before = probe.look()?;
    if probe.release_all(&callers)? {
        probe.settle(&before)?;
        before.keys = probe.first_keys.unwrap_or(usize::MAX);
        let mut stays = probe.look()?.since(&before, &probe.module, probe.runtime.images_mapped());
        probe.told.measured.stays.append(&mut stays);
        probe.told.measured.calls = callers.calls();
        probe.sum_up();
    }
    probe.told.is_complete = true;
    // What a module has left on a thread takes effect when the thread ends, or the process.
    probe.step("the end of the threads that called it")?;
    callers.end();
    probe.step("the end of the process")
}

/// A copy of the file that has another digest, in a directory that has the same libraries beside it.
fn second_file(file: &Path, home: &Path) -> io::Result<PathBuf> {
    let file = file.canonicalize()?;
    let directory = home.join("second");
    fs::create_dir(&directory)?;
    let name = file.file_name().unwrap_or_default();
    let beside = file.parent().map(fs::read_dir).transpose()?.into_iter().flatten();
    for entry in beside.filter_map(Result::ok) {
        let is_library = entry.file_name().to_string_lossy().contains(".so");
        if is_library && entry.file_name() != name {
            std::os::unix::fs::symlink(entry.path(), directory.join(entry.file_name()))?;
        }
    }
    let mut bytes = fs::read(&file)?;
    bytes.extend_from_slice(STAMP);
    let second = directory.join(name);
    fs::write(&second, bytes)?;
    Ok(second)
}

// === impl Probe ===

impl Probe<'_> {
    /// Loads, calls, replaces and purges. False if the first load was refused.
    fn release_all(&mut self, callers: &Callers) -> Result<bool, Error> {
        self.step("the first load: its constructors and on_load")?;
        if let Err(error) = self.load(0) {
            self.told.refused = Some(ErrorObject::from(&error));
            return Ok(false);
        }
        // A module that asks to stay is replaced all the same: only this process is concerned.
        self.runtime.unstick(&self.module)?;
        let module = self.runtime.module(&self.module)?;
        for round in 1..=self.plan.rounds {
            self.step(&format!("round {round}: {}", self.plan.calling()))?;
            callers.begin(&module).wait();
            self.step(&format!("round {round}: {} while the next version is loaded", self.plan.calling()))?;
            let going = callers.begin(&module);
            let loaded = self.load(round);
            going.wait();
            self.told.measured.calls = callers.calls();
            if let Err(error) = loaded {
                let advice = "the module must load again in the same process".to_owned();
                let what = format!("round {round}: {error}");
                self.told.measured.stays.push(Stay { kind: StayKind::Refused, what, advice });
                return Ok(true);
            }
            if !self.purge(&format!("round {round}: the old version leaves"))? {
                return Ok(true);
            }
        }
        self.step("the last version: calls")?;
        callers.begin(&module).wait();
        self.runtime.delete(&self.module)?;
        self.purge("the last version leaves")?;
        Ok(true)
    }

    fn load(&self, round: usize) -> Result<(), segue::Error> {
        let source = Source::File(self.files[round % 2].clone());
        let options =
            LoadOptions { policy: Policy::Wait, deadline: self.plan.deadline, ..LoadOptions::default() };
        self.runtime.load_with(&source, &options).map(drop)
    }

    /// Purges the old version. Whether it left.
    fn purge(&mut self, step: &str) -> Result<bool, Error> {
        self.step(step)?;
        let patience = (self.plan.deadline / 4).min(PATIENCE_MAX);
        let purged = self.runtime.purge(&self.module, patience)?;
        let now = self.look()?;
        let mut leaving = None;
        for record in self.runtime.events().recent(self.seen + 1) {
            self.seen = record.seq;
            match record.event {
                Event::Purged { old, purge_us, leaked_bytes, destructors_dropped, threads_ended, .. } => {
                    let purge_us = Some(purge_us);
                    leaving = Some(Leaving {
                        id: old,
                        left: true,
                        purge_us,
                        leaked_bytes,
                        destructors_dropped,
                        threads_ended,
                        resident_bytes: now.resident_bytes,
                    });
                }
                Event::Quarantined { old, pins, .. } => {
                    leaving = Some(stayed(old.clone(), &now));
                    self.add_image(&old, &pins);
                }
                _ => {}
            }
        }
        // No event: it is not gone, and it is not known to stay for ever.
        if leaving.is_none() {
            let held = self.runtime.pins(&self.module)?.held;
            if let Some(held) = held.last() {
                let id = VersionId { version: held.version.clone(), generation: held.generation };
                let pins = if held.pins.is_empty() { &purged.pins } else { &held.pins };
                leaving = Some(stayed(id.clone(), &now));
                self.add_image(&id, pins);
            }
        }
        let left = leaving.as_ref().is_some_and(|leaving| leaving.left);
        self.told.measured.versions.extend(leaving);
        self.mappings.push(now.mappings);
        self.first_keys.get_or_insert(now.keys);
        Ok(left)
    }

    fn add_image(&mut self, id: &VersionId, pins: &[segue::Pin]) {
        let kind = StayKind::Image;
        if pins.is_empty() {
            let what = format!("{id} is still in memory");
            let advice = "`segue pins` of a service with this module shows what holds it".to_owned();
            self.told.measured.stays.push(Stay { kind, what, advice });
        }
        for pin in pins {
            let what = format!("{id} is still in memory: {}", pin.detail);
            let advice = format!("it waits for {}", pin.waits_for);
            self.told.measured.stays.push(Stay { kind, what, advice });
        }
    }

    /// Waits until the system has forgotten the threads that have ended.
    fn settle(&self, before: &Process) -> Result<(), Error> {
        let until = Instant::now() + SETTLE;
        while Instant::now() < until && self.look()?.has_new_threads(before) {
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// What follows from all rounds together.
    fn sum_up(&mut self) {
        let Measured { versions, calls, purge_us, resident_bytes_per_round, stays } = &mut self.told.measured;
        let mut times: Vec<u64> = versions.iter().filter_map(|version| version.purge_us).collect();
        times.sort_unstable();
        *purge_us = times.last().map(|max| Spread { median: times[times.len() / 2], max: *max });
        let resident: Vec<i64> = versions.iter().map(|version| version.resident_bytes as i64).collect();
        *resident_bytes_per_round = growth::median(&resident);
        stays.extend(growth::of_memory(&resident));
        stays.extend(growth::of_mappings(&self.mappings));
        if self.runtime.images_mapped() > 0 && versions.iter().all(|version| version.left) {
            let what = format!("{} images are still mapped", self.runtime.images_mapped());
            let advice = "report this: the runtime said that they left".to_owned();
            stays.push(Stay { kind: StayKind::Image, what, advice });
        }
        if calls.made > 0 && calls.failed == calls.made {
            let what = format!("all {} calls failed, so the module was not exercised", calls.made);
            let advice = "name a request that the module answers: --request 'GET /x'".to_owned();
            stays.push(Stay { kind: StayKind::Calls, what, advice });
        }
    }

    fn look(&self) -> Result<Process, Error> {
        Process::now(self.home, self.runtime.pthread_keys_in_use()).map_err(failed(Path::new("/proc/self")))
    }

    /// Tells the command what comes next. A crash after this is a crash in this step.
    fn step(&mut self, step: &str) -> Result<(), Error> {
        step.clone_into(&mut self.told.step);
        let told =
            serde_json::to_vec(&self.told).map_err(|source| Error::Output { source: source.into() })?;
        // Renamed: the command may read at any time.
        let (path, half) = (self.home.join(TOLD), self.home.join("told.half"));
        fs::write(&half, told).and_then(|()| fs::rename(&half, &path)).map_err(failed(&path))
    }
}

fn stayed(id: VersionId, now: &Process) -> Leaving {
    Leaving {
        id,
        left: false,
        purge_us: None,
        leaked_bytes: 0,
        destructors_dropped: 0,
        threads_ended: 0,
        resident_bytes: now.resident_bytes,
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}
