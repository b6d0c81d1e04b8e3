//! A module around `memmap2`.

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
            let mut m = memmap2::MmapMut::map_anon(4096).map_err(fault)?;
            m[0] = 42;
            m[0] == 42
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zmmap\n");
        Ok(())
    }
}

export_module!(Row);
