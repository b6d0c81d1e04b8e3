//! The smallest host: it loads a module, calls it, and replaces it. Run it with
//!
//! ```text
//! cargo run --example smallest
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{error::Error, time::Duration};

use segue::{ModuleHandle, Request, Runtime};

/// The longest wait for calls that are still inside a module at the end.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    // A module is a cdylib. Cargo builds two versions of one, from modules/greeter.
    let first = modules::build("greeter", "1.0.0", &[])?;
    let second = modules::build("greeter", "1.1.0", &[])?;

    // A service sets a state directory here, so that a restart returns to the versions it had.
    let runtime = Runtime::builder().build()?;
    runtime.load(&first)?;

    // The handle stays valid for all versions. Each call goes to the current one.
    let greeter = runtime.module("greeter")?;
    assert_eq!(ask(&greeter)?, "Hello, ada! This is greeter 1.0.0.");

    // Calls from other threads would continue meanwhile. None of them waits or fails.
    let loaded = runtime.load(&second)?;
    println!("replaced greeter in {} µs", loaded.took_us.total);
    assert_eq!(ask(&greeter)?, "Hello, ada! This is greeter 1.1.0.");

    // This unloads all versions. It fails if a call is still inside one at the deadline.
    runtime.shutdown(DEADLINE)?;
    assert_eq!(runtime.images_mapped(), 0);
    Ok(())
}

/// Sends the module a request, and returns the body of its reply.
fn ask(greeter: &ModuleHandle) -> Result<String, Box<dyn Error>> {
    let reply = greeter.call(&Request::get("/ada"))?;
    let text = String::from_utf8(reply.body)?.trim_end().to_owned();
    println!("{} {text}", reply.status);
    Ok(text)
}
