//! The child process of a probe: loads the module into a real runtime, calls it, replaces it with itself,
//! unloads it, and compares the process with its state before.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use segue::{ErrorObject, Event, FileReport, LoadOptions, Policy, Runtime, Source, VersionId};

use crate::{
    error::Error,
    probe::{
        callers::Callers,
        growth,
        plan::Plan,
        report::{ChildState, Measured, Spread, Stay, StayKind, UnloadedVersion},
        snapshot::Snapshot,
    },
};

/// How long a version may take to be unloaded before it counts as staying.
const PURGE_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// After how long the runtime ends idle threads of an old version. Shorter than in a server, since there are
/// no clients.
const IDLE_THREAD_TIMEOUT: Duration = Duration::from_millis(300);
/// How long the kernel may still list a thread that has ended.
const THREAD_EXIT_TIMEOUT: Duration = Duration::from_millis(500);
/// How often to check for that.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Appended to the second file. It gives the file another digest, and the dynamic linker ignores it.
const SUFFIX: &[u8] = b"segue probe\n";

/// The file with the child's state, in the probe's directory.
pub(super) const STATE_FILE: &str = "state.json";
/// The state directory of the probe's runtime, in the probe's directory.
pub(super) const STATE_DIR: &str = "state";

/// A running probe.
struct Probe<'a> {
    plan: &'a Plan,
    directory: &'a Path,
    module: String,
    files: [PathBuf; 2],
    runtime: Runtime,
    state: ChildState,
    /// The number of the last event that was read.
    last_seq: u64,
    /// The number of mappings after each round.
    mappings: Vec<i64>,
    /// The pthread keys in use after the first version was unloaded. The first load takes some for the
    /// runtime.
    first_keys: Option<usize>,
}

/// Runs the probe in this process. No other probe uses `directory`.
pub(crate) fn run(plan: &Plan, report: &FileReport, directory: &Path) -> Result<(), Error> {
    // Without symbolic links, the probe recognizes its own open files.
    let directory = &directory.canonicalize().map_err(failed(directory))?;
    let state_dir = directory.join(STATE_DIR);
    let mut probe = Probe {
        plan,
        directory,
        module: report.metadata.name.clone(),
        files: [plan.file.clone(), second_file(&plan.file, directory).map_err(failed(directory))?],
        runtime: Runtime::builder().state_dir(&state_dir).idle_thread_timeout(IDLE_THREAD_TIMEOUT).build()?,
        state: ChildState::default(),
        last_seq: 0,
        mappings: Vec::new(),
        first_keys: None,
    };
    let callers = Callers::start(&probe.runtime, plan.threads, &plan.requests).map_err(failed(directory))?;
    let mut before = probe.snapshot()?;
    if probe.release_all(&callers)? {
        probe.wait_for_thread_exits(&before)?;
        before.keys = probe.first_keys.unwrap_or(usize::MAX);
        let mut stays = probe.snapshot()?.since(&before, &probe.module, probe.runtime.images_mapped());
        probe.state.measured.stays.append(&mut stays);
        probe.state.measured.calls = callers.calls();
        probe.summarize();
    }
    probe.state.is_complete = true;
    // Leftovers on a thread take effect when the thread or the process ends.
    probe.step("ending the threads that called it")?;
    callers.end();
    probe.step("ending the process")
}

/// A copy of the file with another digest, in a directory with the same libraries.
fn second_file(file: &Path, probe_directory: &Path) -> io::Result<PathBuf> {
    let file = file.canonicalize()?;
    let directory = probe_directory.join("second");
    fs::create_dir(&directory)?;
    let name = file.file_name().unwrap_or_default();
    let siblings = file.parent().map(fs::read_dir).transpose()?.into_iter().flatten();
    for entry in siblings.filter_map(Result::ok) {
        let is_library = entry.file_name().to_string_lossy().contains(".so");
        if is_library && entry.file_name() != name {
            std::os::unix::fs::symlink(entry.path(), directory.join(entry.file_name()))?;
        }
    }
    let mut bytes = fs::read(&file)?;
    bytes.extend_from_slice(SUFFIX);
    let second = directory.join(name);
    fs::write(&second, bytes)?;
    Ok(second)
}

// === impl Probe ===

impl Probe<'_> {
    /// Loads, calls, replaces and purges. Returns false if the first load was refused.
    fn release_all(&mut self, callers: &Callers) -> Result<bool, Error> {
        self.step("first load: constructors and on_load")?;
        if let Err(error) = self.load(0) {
            self.state.refused = Some(ErrorObject::from(&error));
            return Ok(false);
        }
        // A sticky module is replaced too: the probe affects only this process.
        self.runtime.unstick(&self.module)?;
        let module = self.runtime.module(&self.module)?;
        for round in 1..=self.plan.rounds {
            self.step(&format!("round {round}: {}", self.plan.calls_text()))?;
            callers.begin(&module).wait();
            self.step(&format!(
                "round {round}: {} while the next version is loaded",
                self.plan.calls_text()
            ))?;
            let running = callers.begin(&module);
            let loaded = self.load(round);
            running.wait();
            self.state.measured.calls = callers.calls();
            if let Err(error) = loaded {
                let advice = "make the module loadable again in the same process".to_owned();
                let what = format!("round {round}: {error}");
                self.state.measured.stays.push(Stay { kind: StayKind::Refused, what, advice });
                return Ok(true);
            }
            if !self.purge(&format!("round {round}: unloading the old version"))? {
                return Ok(true);
            }
        }
        self.step("last version: calls")?;
        callers.begin(&module).wait();
        self.runtime.delete(&self.module)?;
        self.purge("unloading the last version")?;
        Ok(true)
    }

    fn load(&self, round: usize) -> Result<(), segue::Error> {
        let source = Source::File(self.files[round % 2].clone());
        let options =
            LoadOptions { policy: Policy::Wait, deadline: self.plan.deadline, ..LoadOptions::default() };
        self.runtime.load_with(&source, &options).map(drop)
    }

    /// Purges the old version. Returns whether it was unloaded.
    fn purge(&mut self, step: &str) -> Result<bool, Error> {
        self.step(step)?;
        let timeout = (self.plan.deadline / 4).min(PURGE_TIMEOUT_MAX);
        let purged = self.runtime.purge(&self.module, timeout)?;
        let now = self.snapshot()?;
        let mut version = None;
        for record in self.runtime.events().recent(self.last_seq + 1) {
            self.last_seq = record.seq;
            match record.event {
                Event::Purged { old, purge_us, leaked_bytes, destructors_dropped, threads_ended, .. } => {
                    version = Some(UnloadedVersion {
                        id: old,
                        left: true,
                        purge_us: Some(purge_us),
                        leaked_bytes,
                        destructors_dropped,
                        threads_ended,
                        resident_bytes: now.resident_bytes,
                    });
                }
                Event::Quarantined { old, pins, .. } => {
                    version = Some(not_unloaded(old.clone(), &now));
                    self.add_image(&old, &pins);
                }
                _ => {}
            }
        }
        // Without an event, it is neither unloaded nor quarantined.
        if version.is_none() {
            let held = self.runtime.pins(&self.module)?.held;
            if let Some(held) = held.last() {
                let id = VersionId { version: held.version.clone(), generation: held.generation };
                let pins = if held.pins.is_empty() { &purged.pins } else { &held.pins };
                version = Some(not_unloaded(id.clone(), &now));
                self.add_image(&id, pins);
            }
        }
        let is_unloaded = version.as_ref().is_some_and(|version| version.left);
        self.state.measured.versions.extend(version);
        self.mappings.push(now.mappings);
        self.first_keys.get_or_insert(now.keys);
        Ok(is_unloaded)
    }

    fn add_image(&mut self, id: &VersionId, pins: &[segue::Pin]) {
        let kind = StayKind::Image;
        if pins.is_empty() {
            let what = format!("{id} is still in memory");
            let advice = "in a running service, `segue pins` shows what keeps it".to_owned();
            self.state.measured.stays.push(Stay { kind, what, advice });
        }
        for pin in pins {
            let what = format!("{id} is still in memory: {}", pin.detail);
            let advice = format!("it waits for {}", pin.waits_for);
            self.state.measured.stays.push(Stay { kind, what, advice });
        }
    }

    /// Waits until the kernel no longer lists threads that have ended.
    fn wait_for_thread_exits(&self, before: &Snapshot) -> Result<(), Error> {
        let until = Instant::now() + THREAD_EXIT_TIMEOUT;
        while Instant::now() < until && self.snapshot()?.has_new_threads(before) {
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Summarizes all rounds.
    fn summarize(&mut self) {
        let Measured { versions, calls, purge_us, resident_bytes_per_round, stays } =
            &mut self.state.measured;
        let mut times: Vec<u64> = versions.iter().filter_map(|version| version.purge_us).collect();
        times.sort_unstable();
        *purge_us = times.last().map(|max| Spread { median: times[times.len() / 2], max: *max });
        let resident: Vec<i64> = versions.iter().map(|version| version.resident_bytes as i64).collect();
        *resident_bytes_per_round = growth::median(&resident);
        stays.extend(growth::of_memory(&resident));
        stays.extend(growth::of_mappings(&self.mappings));
        if self.runtime.images_mapped() > 0 && versions.iter().all(|version| version.left) {
            let what = format!("{} images are still mapped", self.runtime.images_mapped());
            let advice =
                "this is a bug in segue, which reported them as unloaded: please report it".to_owned();
            stays.push(Stay { kind: StayKind::Image, what, advice });
        }
        if calls.made > 0 && calls.failed == calls.made {
            let what = format!("all {} calls failed, so the module was not exercised", calls.made);
            let advice = "give a request that the module answers: --request 'GET /x'".to_owned();
            stays.push(Stay { kind: StayKind::Calls, what, advice });
        }
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        Snapshot::take(self.directory, self.runtime.pthread_keys_in_use())
            .map_err(failed(Path::new("/proc/self")))
    }

    /// Reports the next step to the parent. A crash after this belongs to this step.
    fn step(&mut self, step: &str) -> Result<(), Error> {
        step.clone_into(&mut self.state.step);
        let state =
            serde_json::to_vec(&self.state).map_err(|source| Error::Output { source: source.into() })?;
        // Written and renamed, because the parent may read it at any time.
        let (path, half) = (self.directory.join(STATE_FILE), self.directory.join("state.half"));
        fs::write(&half, state).and_then(|()| fs::rename(&half, &path)).map_err(failed(&path))
    }
}

fn not_unloaded(id: VersionId, now: &Snapshot) -> UnloadedVersion {
    UnloadedVersion {
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
