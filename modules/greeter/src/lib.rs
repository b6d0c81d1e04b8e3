//! The smallest module: it greets.
//!
//! `GET /greeter/ada` answers `Hello, ada! This is greeter 1.0.0.`. With `?wait_ms=3000` it waits before it
//! answers. So you can watch an old version finish its calls while the new version already answers others.

use std::{thread, time::Duration};

use segue_sdk::prelude::*;

/// The longest `wait_ms`. The call blocks a thread of the server for that long.
const WAIT_MS_MAX: u64 = 30_000;

struct Greeter {
    signature: String,
}

impl Module for Greeter {
    fn on_load(host: &Host) -> Result<Self, Fault> {
        tracing::info!("ready to greet");
        Ok(Greeter { signature: format!("This is {} {}.", host.name(), host.version()) })
    }

    fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if let Some(wait_ms) = request.param("wait_ms") {
            let Ok(wait_ms @ ..=WAIT_MS_MAX) = wait_ms.parse() else {
                reply.status(400).text(&format!("wait_ms must be a number from 0 to {WAIT_MS_MAX}\n"));
                return Ok(());
            };
            thread::sleep(Duration::from_millis(wait_ms));
        }
        let name = match request.path().trim_matches('/') {
            "" => "world",
            name => name,
        };
        reply.text(&format!("Hello, {name}! {}\n", self.signature));
        Ok(())
    }
}

export_module!(Greeter);

#[cfg(test)]
mod tests {
    use super::*;
    use segue_sdk::testing;

    #[test]
    fn it_greets_by_name() {
        let greeter = testing::load::<Greeter>().unwrap();
        assert!(greeter.get("/ada").unwrap().text().starts_with("Hello, ada! "));
        assert!(greeter.get("/").unwrap().text().starts_with("Hello, world! "));
    }

    #[test]
    fn an_invalid_wait_is_refused() {
        let greeter = testing::load::<Greeter>().unwrap();
        assert_eq!(greeter.get("/ada?wait_ms=soon").unwrap().status, 400);
        assert_eq!(greeter.get("/ada?wait_ms=60000").unwrap().status, 400);
    }
}
