//! A module around `moka`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: moka::sync::Cache<u8, u64>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: moka::sync::Cache::new(100) })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = { self.state.get_with(1, || 42) == 42 };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zmoka\n");
        Ok(())
    }
}

export_module!(Row);
