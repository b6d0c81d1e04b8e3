//! A module around `anyhow`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: (),
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: () })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = { anyhow::anyhow!("x").context("y").to_string() == "y" };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zanyhow\n");
        Ok(())
    }
}

export_module!(Row);
