//! A module around `reqwest, blocking, no TLS`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: reqwest::blocking::Client,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: reqwest::blocking::Client::builder().no_proxy().build().map_err(fault)? })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = { self.state.get("http://127.0.0.1:1/").send().is_err() };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zreqwest\n");
        Ok(())
    }
}

export_module!(Row);
