//! A module around `dashmap`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: dashmap::DashMap<u8, u64>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: dashmap::DashMap::new() })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = { *self.state.entry(1).and_modify(|n| *n += 1).or_insert(1) > 0 };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zdashmap\n");
        Ok(())
    }
}

export_module!(Row);
