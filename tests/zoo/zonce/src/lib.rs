//! A module around `once_cell`.

use segue_sdk::prelude::*;
static V: once_cell::sync::Lazy<Vec<u8>> = once_cell::sync::Lazy::new(|| vec![1, 2, 3]);

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
        let good: bool = { V.len() == 3 };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zonce\n");
        Ok(())
    }
}

export_module!(Row);
