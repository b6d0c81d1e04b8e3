//! A module around `prometheus`.

use segue_sdk::prelude::*;
use std::sync::LazyLock;

static C: LazyLock<prometheus::IntCounter> =
    LazyLock::new(|| prometheus::register_int_counter!("calls", "calls").expect("a new name"));

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
            C.inc();
            C.get() > 0
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zprom\n");
        Ok(())
    }
}

export_module!(Row);
