//! A host without a server or a socket: it embeds only the library. Run it with
//!
//! ```text
//! cargo run --example embed
//! ```
//!
//! It builds two versions of the module `greeter`, and loads the first. Four threads call it in a loop, and
//! one thread makes a slow call. Meanwhile the second version replaces the first. A rollback makes the first
//! current again, while the slow call still keeps it in memory. Then the second version is loaded again. To
//! use files that are already built:
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

/// The number of threads that call in a loop.
const CALLERS: usize = 4;

/// How long they call between two changes.
const PAUSE: Duration = Duration::from_millis(300);

/// The query of the slow call. It outlasts all changes.
const SLOW_QUERY: &str = "wait_ms=1500";

/// The longest wait for a version to be unloaded.
const DEADLINE: Duration = Duration::from_secs(10);

/// The number of answers of each version.
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

    // Cheap to clone, usable from any thread. Each call goes to the version that is current at that moment.
    let greeter = runtime.module("greeter")?;
    let stop = AtomicBool::new(false);
    let answers = thread::scope(|scope| -> Result<Answers, Box<dyn Error>> {
        // The scope waits for the callers, so they must also stop if this closure returns an error.
        let _stop = SetOnDrop(&stop);
        let callers: Vec<_> =
            (0..CALLERS).map(|_| scope.spawn(|| call_until(&stop, &runtime, &greeter))).collect();
        let slow = scope.spawn(|| slow_call(&greeter));
        thread::sleep(PAUSE);

        let replaced = runtime.load(&second)?;
        println!(
            "{} is current, published in {:?} µs",
            replaced.version,
            replaced.took_us.publish.unwrap_or(0)
        );
        thread::sleep(PAUSE);
        print_status(&runtime)?;

        let back = runtime.rollback("greeter")?;
        println!("rolled back to {}, in {} µs", back.current, back.took_us);
        wait_until_unloaded(&runtime)?;
        println!("{} is unloaded", back.old);
        print_status(&runtime)?;

        let (version, text) = slow.join().map_err(|_| "the slow caller panicked")??;
        println!("the slow call ended in the version that it entered, {version}: {text}");

        let again = runtime.load(&second)?;
        wait_until_unloaded(&runtime)?;
        println!("{} is current again, and the previous version is unloaded", again.version);
        thread::sleep(PAUSE);
        println!("images in memory: {}", runtime.images_mapped());

        stop.store(true, Ordering::Relaxed);
        let mut answers = Answers::new();
        for caller in callers {
            for (version, count) in caller.join().map_err(|_| "a caller panicked")?? {
                *answers.entry(version).or_default() += count;
            }
        }
        Ok(answers)
    })?;

    println!("answers; no call failed:");
    for (version, count) in answers {
        println!("  {version}  {count}");
    }
    runtime.shutdown(DEADLINE)?;
    match runtime.images_mapped() {
        0 => Ok(()),
        count => Err(format!("{count} images are in memory after the shutdown").into()),
    }
}

/// Calls in a loop, and counts the answers of each version. It ends with the first call that fails.
fn call_until(stop: &AtomicBool, runtime: &Runtime, greeter: &ModuleHandle) -> Result<Answers, CallError> {
    // Register long-lived threads that call modules. Before a version is unloaded, each thread destroys the
    // thread-locals that the version left on it.
    let registered_thread = runtime.register_thread();
    let mut answers = Answers::new();
    while !stop.load(Ordering::Relaxed) {
        // `greeter.call(…)` would enter and call in one step. This also shows which version answers.
        let version = greeter.enter()?;
        version.call(&Request::get("/ada"))?;
        *answers.entry(version.version().to_string()).or_default() += 1;
        drop(version);
        while let Ok(task) = registered_thread.inbox().try_recv() {
            task.run();
        }
    }
    Ok(answers)
}

/// Makes a call that lasts longer than its version is current.
fn slow_call(greeter: &ModuleHandle) -> Result<(String, String), CallError> {
    let version = greeter.enter()?;
    let reply = version.call(&Request { query: SLOW_QUERY, ..Request::get("/slow") })?;
    let text = String::from_utf8_lossy(&reply.body);
    Ok((version.version().to_string(), text.trim_end().to_owned()))
}

/// Waits until the old version is unloaded. The runtime unloads it without a command, so it may be gone
/// already.
fn wait_until_unloaded(runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    runtime.purge("greeter", DEADLINE)?;
    match runtime.status("greeter")?.old {
        None => Ok(()),
        Some(old) => Err(format!("greeter {} is still in memory: {:?}", old.version, old.pins).into()),
    }
}

fn print_status(runtime: &Runtime) -> Result<(), segue::Error> {
    let status = runtime.status("greeter")?;
    for (role, version) in [("current", &status.current), ("old", &status.old)] {
        match version {
            Some(version) => println!(
                "  {role:8} {}+g{}, {} calls inside, {} calls so far",
                version.version, version.generation, version.inside, version.calls
            ),
            None => println!("  {role:8} none"),
        }
    }
    Ok(())
}

/// The two files: the arguments of the program, or newly built modules.
fn files() -> Result<[PathBuf; 2], Box<dyn Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match <[PathBuf; 2]>::try_from(arguments) {
        Ok(files) => Ok(files),
        Err(arguments) if arguments.is_empty() => {
            Ok([modules::build("greeter", "1.0.0", &[])?, modules::build("greeter", "1.1.0", &[])?])
        }
        Err(_) => Err("pass two files, or none".into()),
    }
}

/// Sets the flag when it is dropped.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
