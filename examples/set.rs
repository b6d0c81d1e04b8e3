//! A set: two modules are replaced as a unit, and a snapshot sees both as they were before or both as they
//! are after. Run it with
//!
//! ```text
//! cargo run --example set
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{error::Error, time::Duration};

use segue::{LoadOptions, Request, Runtime, Snapshot, Source};

/// The longest wait for calls that are still inside a module at the end.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let first = build_set("1.0.0")?;
    let second = build_set("1.1.0")?;
    let options = LoadOptions::default();
    let runtime = Runtime::builder().build()?;
    runtime.load_set(&first, &options)?;

    // A service takes one snapshot for each request, and drops it with the request.
    let before = runtime.snapshot();
    assert_eq!(versions(&before), ["1.0.0", "1.0.0"]);

    for loaded in runtime.load_set(&second, &options)? {
        println!("{} {} is current", loaded.module, loaded.version);
    }

    // Calls through the snapshot still go to the old pair, and the snapshot keeps it in memory.
    let reply = before.call("greeter", &Request::get("/ada"))?;
    println!("through the snapshot: {}", String::from_utf8_lossy(&reply.body).trim_end());
    assert!(reply.body.ends_with(b"This is greeter 1.0.0.\n"));
    assert_eq!(versions(&before), ["1.0.0", "1.0.0"]);
    drop(before);
    assert_eq!(versions(&runtime.snapshot()), ["1.1.0", "1.1.0"]);

    // If one member is refused, no member is loaded.
    let [greeter, _] = build_set("1.2.0")?;
    let not_a_module = Source::File(std::env::current_exe()?);
    match runtime.load_set(&[greeter, not_a_module], &options) {
        Err(error) => println!("the set was refused: {error}"),
        Ok(_) => return Err("a set with a member that is not a module was loaded".into()),
    }
    assert_eq!(versions(&runtime.snapshot()), ["1.1.0", "1.1.0"]);

    runtime.shutdown(DEADLINE)?;
    Ok(())
}

/// Builds both modules in this version.
fn build_set(version: &str) -> Result<[Source; 2], Box<dyn Error>> {
    let greeter = modules::build("greeter", version, &[])?;
    let shop = modules::build("shop", version, &[])?;
    Ok([Source::File(greeter), Source::File(shop)])
}

/// The versions of both modules in a snapshot.
fn versions(snapshot: &Snapshot) -> [&str; 2] {
    ["greeter", "shop"].map(|name| snapshot.version(name).map_or("none", |id| id.version.as_str()))
}
