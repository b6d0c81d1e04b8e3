//! Trial and rollback: a new version is current for a limited time, and the previous one returns unless you
//! confirm it. Run it with
//!
//! ```text
//! cargo run --example trial
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{error::Error, path::Path, time::Duration};

use segue::{Event, LoadOptions, NextEvent, Policy, Request, Runtime, Source, Trial, TrialEnd};

/// How long a trial usually lasts: long enough to see whether the new version works.
const TRIAL: Duration = Duration::from_secs(300);

/// The length of the trial that this program waits for.
const SHORT_TRIAL: Duration = Duration::from_secs(2);

/// The longest wait for anything in this program.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let first = modules::build("greeter", "1.0.0", &[])?;
    let second = modules::build("greeter", "1.1.0", &[])?;
    let state = tempfile::tempdir()?;
    let runtime = Runtime::builder().state_dir(state.path()).build()?;
    runtime.load(&first)?;
    let mut events = runtime.events().from_now();

    // 1. Nobody confirms the trial. When it ends, the runtime rolls back.
    load_on_trial(&runtime, &second, SHORT_TRIAL)?;
    assert_eq!(current(&runtime)?, "1.1.0");
    while let NextEvent::Event(record) = events.next(DEADLINE) {
        if let Event::RolledBack { current, old, .. } = record.event {
            println!("the trial of {old} ended without a confirmation: {current} is current");
            break;
        }
    }
    assert_eq!(current(&runtime)?, "1.0.0");

    // 2. You do not like what you see. The previous version is still in memory, so a rollback is one atomic
    //    store.
    load_on_trial(&runtime, &second, TRIAL)?;
    let back = runtime.rollback("greeter")?;
    println!("rolled back from {} to {} in {} µs", back.old, back.current, back.took_us);
    assert_eq!(current(&runtime)?, "1.0.0");

    // 3. You confirm. From now on a restart returns to the new version, and the previous one is unloaded.
    load_on_trial(&runtime, &second, TRIAL)?;
    let confirmed = runtime.confirm("greeter")?;
    println!("confirmed {}", confirmed.current);
    assert!(confirmed.confirmed, "there was a trial to confirm");
    assert_eq!(current(&runtime)?, "1.1.0");

    runtime.shutdown(DEADLINE)?;
    Ok(())
}

/// Makes the file current, on trial. If an old version is still in memory, the load waits until it is
/// unloaded.
fn load_on_trial(runtime: &Runtime, file: &Path, length: Duration) -> Result<(), segue::Error> {
    let trial = Trial { length, at_end: TrialEnd::RollBack };
    let options = LoadOptions { policy: Policy::Wait, deadline: DEADLINE, trial: Some(trial) };
    let loaded = runtime.load_with(&Source::File(file.to_owned()), &options)?;
    println!("{} is current, on trial", loaded.version);
    Ok(())
}

/// The version that answers calls.
fn current(runtime: &Runtime) -> Result<String, Box<dyn Error>> {
    let greeter = runtime.module("greeter")?;
    let version = greeter.enter()?;
    version.call(&Request::get("/ada"))?;
    Ok(version.version().version.clone())
}
