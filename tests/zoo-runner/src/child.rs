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

use segue::{ModuleHandle, Request, Runtime};

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

pub(crate) fn run(name: &str, file: &Path, releases: u32) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    // Two files that differ in their last byte only: the dynamic linker does not read behind the sections.
    let versions = [0_u8, 1].map(|mark| directory.path().join(format!("lib{name}-{mark}.so")));
    for (mark, version) in versions.iter().enumerate() {
        let mut bytes = fs::read(file)?;
        bytes.push(u8::try_from(mark)?);
        fs::write(version, bytes)?;
    }
    let runtime = Runtime::builder().state_dir(directory.path().join("state")).build()?;
    runtime.load(&versions[0])?;
    let module = runtime.module(name)?;
    println!("{LOADED}");

    let traffic = Traffic::default();
    let mut counts = Counts::default();
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| call(&module, name, &traffic));
        }
        for release in 1..=releases {
            thread::sleep(SERVES);
            let next = &versions[usize::from(release % 2 == 1)];
            if let Err(error) = runtime.load(next) {
                counts.refused = Some(error.to_string());
                break;
            }
            counts.releases += 1;
            match stays(&runtime, name) {
                None => counts.left += 1,
                Some(why) => counts.reason = Some(why),
            }
        }
        thread::sleep(SERVES);
        traffic.stop.store(true, Ordering::Relaxed);
    });
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

/// Why the version that was just displaced is still in memory; `None` when it left.
fn stays(runtime: &Runtime, name: &str) -> Option<String> {
    let began = Instant::now();
    let before = runtime.status(name).map_or(0, |status| status.quarantined.len());
    loop {
        let status = match runtime.status(name) {
            Ok(status) => status,
            Err(error) => return Some(error.to_string()),
        };
        let newly = status.quarantined.len() > before;
        match status.old.as_ref().or(status.quarantined.last().filter(|_| newly)) {
            None => return None,
            Some(version) if newly || began.elapsed() > LEAVES => {
                let pins: Vec<_> = version.pins.iter().map(|pin| pin.detail.as_str()).collect();
                return Some(if pins.is_empty() { "no pins".to_owned() } else { pins.join("; ") });
            }
            Some(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
