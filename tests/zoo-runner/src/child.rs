//! Releases one module in this process, while threads call it without a pause.

use std::{
    error::Error,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use segue::{ModuleHandle, Request, Runtime, VersionStatus};

use crate::report::Counts;

/// Printed when the first version is current.
pub(crate) const LOADED: &str = "loaded";

/// How many threads call.
const CALLERS: usize = 3;

/// How long each version serves before it is replaced.
const SERVES: Duration = Duration::from_millis(30);

/// The longest wait for a version to leave. What stays longer counts as staying.
const LEAVES: Duration = Duration::from_secs(20);

/// What the callers share. Relaxed everywhere: the end of the scope orders the counts before they are read.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    calls: AtomicU64,
    wrong: AtomicU64,
    first: Mutex<Option<String>>,
}

/// How long the process goes on when the last version has left.
const AFTERWARDS: Duration = Duration::from_millis(100);

/// How the module is released.
pub(crate) struct Plan {
    pub(crate) releases: u32,
    /// How long threads that only wait may stay, if not as long as the runtime lets them.
    pub(crate) patience: Option<Duration>,
    /// Whether the last version is deleted at the end.
    pub(crate) deletes: bool,
    /// How the reason begins for which versions stay. One in quarantine for another reason may leave yet.
    pub(crate) reason: Option<String>,
}

pub(crate) fn run(name: &str, file: &Path, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    // Two files that differ in their last byte only: the dynamic linker does not read behind the sections.
    let versions = [0_u8, 1].map(|mark| directory.path().join(format!("lib{name}-{mark}.so")));
    for (mark, version) in versions.iter().enumerate() {
        let mut bytes = fs::read(file)?;
        bytes.push(u8::try_from(mark)?);
        fs::write(version, bytes)?;
    }
    let mut builder = Runtime::builder().state_dir(directory.path().join("state"));
    if let Some(patience) = plan.patience {
        builder = builder.idle_thread_timeout(patience);
    }
    let runtime = builder.build()?;
    runtime.load(&versions[0])?;
    let module = runtime.module(name)?;
    println!("{LOADED}");

    let traffic = Traffic::default();
    let mut counts = Counts::default();
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| call(&module, name, &traffic));
        }
        for release in 1..=plan.releases {
            thread::sleep(SERVES);
            let next = &versions[usize::from(release % 2 == 1)];
            let displaced = current(&runtime, name);
            if let Err(error) = runtime.load(next) {
                counts.refused = Some(error.to_string());
                break;
            }
            counts.releases += 1;
            match stays(&runtime, name, displaced, plan) {
                None => counts.left += 1,
                Some(why) => counts.reason = Some(why),
            }
        }
        thread::sleep(SERVES);
        traffic.stop.store(true, Ordering::Relaxed);
    });
    if plan.deletes {
        counts.last = delete(&runtime, name, plan);
    }
    counts.calls = traffic.calls.load(Ordering::Relaxed);
    counts.wrong = traffic.wrong.load(Ordering::Relaxed);
    counts.first_wrong = traffic.first.into_inner().unwrap_or_default();
    println!("{}", serde_json::to_string(&counts)?);
    // No shutdown: how a process ends with versions that stay is not what is measured here.
    std::process::exit(0)
}

fn call(module: &ModuleHandle, name: &str, traffic: &Traffic) {
    let good = format!("ok {name}");
    while !traffic.stop.load(Ordering::Relaxed) {
        let wrong = match module.call(&Request::get("/")) {
            Ok(reply) if reply.body.starts_with(good.as_bytes()) => None,
            Ok(reply) => Some(String::from_utf8_lossy(&reply.body).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        traffic.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(wrong) = wrong {
            traffic.wrong.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut first) = traffic.first.lock() {
                first.get_or_insert(wrong);
            }
        }
        // Not without a pause: a purge needs the processor too.
        thread::sleep(Duration::from_micros(200));
    }
}

/// Deletes the module; why its last version is still in memory then.
///
/// The next version hides what one leaves in the process: a timer whose signal it handles, a variable of the
/// environment that it sets too. After the last one, such a thing ends the process.
fn delete(runtime: &Runtime, name: &str, plan: &Plan) -> Option<String> {
    let last = current(runtime, name);
    if let Err(error) = runtime.delete(name) {
        return Some(error.to_string());
    }
    let why = stays(runtime, name, last, plan);
    thread::sleep(AFTERWARDS);
    // Reads each variable.
    let _ = std::env::vars_os().count();
    why
}

/// Which load is current.
fn current(runtime: &Runtime, name: &str) -> Option<u64> {
    runtime.status(name).ok()?.current.map(|version| version.generation)
}

/// Why the version that was just displaced is still in memory; `None` when it left.
fn stays(runtime: &Runtime, name: &str, displaced: Option<u64>, plan: &Plan) -> Option<String> {
    let Some(displaced) = displaced else { return Some("no version was displaced".to_owned()) };
    let began = Instant::now();
    loop {
        let status = match runtime.status(name) {
            Ok(status) => status,
            Err(error) => return Some(error.to_string()),
        };
        // It may be in quarantine before this function begins.
        let is_it = |version: &&VersionStatus| version.generation == displaced;
        let in_quarantine = status.quarantined.iter().find(is_it);
        match status.old.iter().find(is_it).or(in_quarantine) {
            None => return None,
            Some(version) => {
                let why = why(version);
                let is_it = plan.reason.as_ref().is_some_and(|reason| why.starts_with(reason));
                if in_quarantine.is_some() && is_it || began.elapsed() > LEAVES {
                    return Some(why);
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// What keeps it.
fn why(version: &VersionStatus) -> String {
    let pins: Vec<_> = version.pins.iter().map(|pin| pin.detail.as_str()).collect();
    if pins.is_empty() { "no pins".to_owned() } else { pins.join("; ") }
}
