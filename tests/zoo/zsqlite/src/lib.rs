//! A module around `rusqlite, bundled`.

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
            let c = rusqlite::Connection::open_in_memory().map_err(fault)?;
            c.query_row("select 40 + 2", [], |r| r.get::<_, i64>(0)).map_err(fault)? == 42
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zsqlite\n");
        Ok(())
    }
}

export_module!(Row);
