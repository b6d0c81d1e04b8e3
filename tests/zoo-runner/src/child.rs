//! Releases one module in this process while threads call it.

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
const SERVICE_TIME: Duration = Duration::from_millis(30);

/// How long a version may take to be unloaded. After that it counts as staying.
const UNLOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// What the callers share. Relaxed everywhere: the end of the scope orders the counts before they are read.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    calls: AtomicU64,
    wrong: AtomicU64,
    first: Mutex<Option<String>>,
}

/// How long the process keeps running after the last version was unloaded.
const TIME_AFTER_UNLOAD: Duration = Duration::from_millis(100);

/// How the module is released.
pub(crate) struct Plan {
    pub(crate) releases: u32,
    /// The timeout for threads that only wait, if not the runtime's default.
    pub(crate) idle_thread_timeout: Option<Duration>,
    /// Whether the last version is deleted at the end.
    pub(crate) deletes: bool,
    /// The start of the reason for which versions stay. A version quarantined for another reason may still be
    /// unloaded.
    pub(crate) reason: Option<String>,
}

pub(crate) fn run(name: &str, file: &Path, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    // Two files that differ only in their last byte: the dynamic linker does not read beyond the sections.
    let versions = [0_u8, 1].map(|mark| directory.path().join(format!("lib{name}-{mark}.so")));
    for (mark, version) in versions.iter().enumerate() {
        let mut bytes = fs::read(file)?;
        bytes.push(u8::try_from(mark)?);
        fs::write(version, bytes)?;
    }
    let mut builder = Runtime::builder().state_dir(directory.path().join("state"));
    if let Some(timeout) = plan.idle_thread_timeout {
        builder = builder.idle_thread_timeout(timeout);
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
            thread::sleep(SERVICE_TIME);
            let next = &versions[usize::from(release % 2 == 1)];
            let displaced = current(&runtime, name);
            if let Err(error) = runtime.load(next) {
                counts.refused = Some(error.to_string());
                break;
            }
            counts.releases += 1;
            match reason_to_stay(&runtime, name, displaced, plan) {
                None => counts.unloaded += 1,
                Some(reason) => counts.reason = Some(reason),
            }
        }
        thread::sleep(SERVICE_TIME);
        traffic.stop.store(true, Ordering::Relaxed);
    });
    if plan.deletes {
        counts.last = delete(&runtime, name, plan);
    }
    counts.calls = traffic.calls.load(Ordering::Relaxed);
    counts.wrong = traffic.wrong.load(Ordering::Relaxed);
    counts.first_wrong = traffic.first.into_inner().unwrap_or_default();
    println!("{}", serde_json::to_string(&counts)?);
    // No shutdown: this does not test how a process ends with versions that stay.
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
        // A purge needs the processor too.
        thread::sleep(Duration::from_micros(200));
    }
}

/// Deletes the module. Returns why its last version is still in memory, if it is.
///
/// The next version hides what a version leaves in the process: it handles the signal of a left timer, and
/// sets the same environment variable. After the last version, such a thing ends the process.
fn delete(runtime: &Runtime, name: &str, plan: &Plan) -> Option<String> {
    let last = current(runtime, name);
    if let Err(error) = runtime.delete(name) {
        return Some(error.to_string());
    }
    let reason = reason_to_stay(runtime, name, last, plan);
    thread::sleep(TIME_AFTER_UNLOAD);
    // Reads each variable.
    let _ = std::env::vars_os().count();
    reason
}

/// Returns the generation of current.
fn current(runtime: &Runtime, name: &str) -> Option<u64> {
    runtime.status(name).ok()?.current.map(|version| version.generation)
}

/// Waits until the version that was just displaced is unloaded, and returns `None`; or returns why it stays.
fn reason_to_stay(runtime: &Runtime, name: &str, displaced: Option<u64>, plan: &Plan) -> Option<String> {
    let Some(displaced) = displaced else { return Some("no version was displaced".to_owned()) };
    let start = Instant::now();
    loop {
        let status = match runtime.status(name) {
            Ok(status) => status,
            Err(error) => return Some(error.to_string()),
        };
        // It may already be quarantined when this function starts.
        let is_displaced = |version: &&VersionStatus| version.generation == displaced;
        let in_quarantine = status.quarantined.iter().find(is_displaced);
        match status.old.iter().find(is_displaced).or(in_quarantine) {
            None => return None,
            Some(version) => {
                let pins = describe_pins(version);
                let is_final = plan.reason.as_ref().is_some_and(|reason| pins.starts_with(reason));
                if in_quarantine.is_some() && is_final || start.elapsed() > UNLOAD_TIMEOUT {
                    return Some(pins);
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Describes what keeps a version in memory.
fn describe_pins(version: &VersionStatus) -> String {
    let pins: Vec<_> = version.pins.iter().map(|pin| pin.detail.as_str()).collect();
    if pins.is_empty() { "no pins".to_owned() } else { pins.join("; ") }
}
