//! A module around `arc-swap`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: arc_swap::ArcSwap<u64>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: arc_swap::ArcSwap::from_pointee(1) })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            self.state.store(std::sync::Arc::new(42));
            **self.state.load() == 42
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zarcswap\n");
        Ok(())
    }
}

export_module!(Row);
