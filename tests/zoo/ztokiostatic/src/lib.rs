//! A module around `tokio, runtime in a static`.

use segue_sdk::prelude::*;
use std::sync::LazyLock;

static RT: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

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
        let good: bool = { RT.block_on(async { tokio::spawn(async { 42 }).await }).map_err(fault)? == 42 };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok ztokiostatic\n");
        Ok(())
    }
}

export_module!(Row);
