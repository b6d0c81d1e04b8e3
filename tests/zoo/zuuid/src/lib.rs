//! A module around `uuid`.

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
        let good: bool = { uuid::Uuid::new_v4() != uuid::Uuid::new_v4() };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zuuid\n");
        Ok(())
    }
}

export_module!(Row);
