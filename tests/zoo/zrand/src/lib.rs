//! A module around `rand`.

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
        let good: bool = {
            use rand::Rng;
            rand::rng().random_range(0..10) < 10
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zrand\n");
        Ok(())
    }
}

export_module!(Row);
