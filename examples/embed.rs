//! A host program of its own: no server, no socket, only the library. Run it with
//!
//! ```text
//! cargo run --example embed
//! ```
//!
//! It has cargo build the module `greeter` as two versions, and loads the first. Four threads call it without a pause,
//! and one makes a slow call. Meanwhile the second version replaces the first, is rolled back while the slow call keeps
//! the first alive, and is loaded again, for good. To use files that are built already:
//!
//! ```text
//! cargo run --example embed -- FIRST.so SECOND.so
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use segue::{CallError, ModuleHandle, Request, Runtime};

/// How many threads call without a pause.
const CALLERS: usize = 4;

/// How long they call between two things that happen.
const A_WHILE: Duration = Duration::from_millis(300);

/// How long the slow call takes: longer than all that happens meanwhile.
const SLOW: &str = "wait_ms=1500";

/// The longest wait for an old version to be gone, and for the end of everything.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many answers each version gave.
type Answers = BTreeMap<String, u64>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let [first, second] = files()?;
    let state = tempfile::tempdir()?;
    let runtime = Runtime::builder().state_dir(state.path()).build()?;

    let loaded = runtime.load(&first)?;
    println!("loaded {} {} in {} µs", loaded.module, loaded.version, loaded.took_us.total);

    // Cheap to clone, usable from any thread; each call goes to whatever is current then.
    let greeter = runtime.module("greeter")?;
    let stop = AtomicBool::new(false);
    let answers = thread::scope(|scope| -> Result<Answers, Box<dyn Error>> {
        // However this scope is left, the callers must end, or it would wait for them for ever.
        let _stop = RaiseOnDrop(&stop);
        let callers: Vec<_> =
            (0..CALLERS).map(|_| scope.spawn(|| call_until(&stop, &runtime, &greeter))).collect();
        let slow = scope.spawn(|| slow_call(&greeter));
        thread::sleep(A_WHILE);

        let replaced = runtime.load(&second)?;
        println!(
            "{} is current, published in {:?} µs",
            replaced.version,
            replaced.took_us.publish.unwrap_or(0)
        );
        thread::sleep(A_WHILE);
        print_status(&runtime)?;

        let back = runtime.rollback("greeter")?;
        println!("rolled back to {}, in {} µs", back.current, back.took_us);
        println!("{} is out of memory: {}", back.old, is_gone(&runtime)?);
        print_status(&runtime)?;

        match slow.join().map_err(|_| "the slow caller panicked")? {
            Ok((version, text)) => println!("the slow call ended where it began, in {version}: {text}"),
            Err(error) => println!("the slow call failed: {error}"),
        }

        let again = runtime.load(&second)?;
        println!(
            "{} is current again, and the one before it is out of memory: {}",
            again.version,
            is_gone(&runtime)?
        );
        thread::sleep(A_WHILE);
        println!("images of modules in memory: {}", runtime.images_mapped());

        stop.store(true, Ordering::Relaxed);
        let mut answers = Answers::new();
        for caller in callers {
            for (version, count) in caller.join().map_err(|_| "a caller panicked")?? {
                *answers.entry(version).or_default() += count;
            }
        }
        Ok(answers)
    })?;

    println!("answers, none lost:");
    for (version, count) in answers {
        println!("  {version}  {count}");
    }
    runtime.shutdown(DEADLINE)?;
    println!("images of modules in memory after the end: {}", runtime.images_mapped());
    Ok(())
}

/// Calls without a pause, and counts who answered. The first call that fails ends it.
fn call_until(stop: &AtomicBool, runtime: &Runtime, greeter: &ModuleHandle) -> Result<Answers, CallError> {
    // A thread that lives long and calls modules is a resident: a version that leaves memory has its thread-locals
    // destroyed here, on the thread that made them.
    let resident = runtime.register_thread();
    let mut answers = Answers::new();
    while !stop.load(Ordering::Relaxed) {
        // To know who answers, enter first; `greeter.call(…)` does both.
        let version = greeter.enter()?;
        version.call(&Request::get("/ada"))?;
        *answers.entry(version.version().to_string()).or_default() += 1;
        drop(version);
        while let Ok(errand) = resident.inbox().try_recv() {
            errand.run();
        }
    }
    Ok(answers)
}

/// A call that outlives its version's time as current.
fn slow_call(greeter: &ModuleHandle) -> Result<(String, String), CallError> {
    let version = greeter.enter()?;
    let reply = version.call(&Request { query: SLOW, ..Request::get("/the patient") })?;
    let text = String::from_utf8_lossy(&reply.body);
    Ok((version.version().to_string(), text.trim_end().to_owned()))
}

/// Waits for the old version to be gone. There may be none to wait for: it goes by itself, and may have been quick.
fn is_gone(runtime: &Runtime) -> Result<bool, segue::Error> {
    runtime.purge("greeter", DEADLINE)?;
    Ok(runtime.status("greeter")?.old.is_none())
}

fn print_status(runtime: &Runtime) -> Result<(), segue::Error> {
    let status = runtime.status("greeter")?;
    for (place, version) in [("current", &status.current), ("old", &status.old)] {
        match version {
            Some(version) => println!(
                "  {place:8} {}+g{}, {} calls inside, {} calls in all",
                version.version, version.generation, version.inside, version.calls
            ),
            None => println!("  {place:8} none"),
        }
    }
    Ok(())
}

/// The two files: those that were named, or those that cargo builds.
fn files() -> Result<[PathBuf; 2], Box<dyn Error>> {
    let named: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match <[PathBuf; 2]>::try_from(named) {
        Ok(files) => Ok(files),
        Err(none) if none.is_empty() => {
            Ok([modules::build("greeter", "1.0.0", &[])?, modules::build("greeter", "1.1.0", &[])?])
        }
        Err(_) => Err("name two files, or none".into()),
    }
}

/// Raises the flag when it is dropped.
struct RaiseOnDrop<'a>(&'a AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
