//! A module around `sysinfo`.

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
            let mut s = sysinfo::System::new();
            s.refresh_memory();
            s.total_memory() > 0
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zsysinfo\n");
        Ok(())
    }
}

export_module!(Row);
