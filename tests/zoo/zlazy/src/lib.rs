//! A module around `lazy_static`.

use segue_sdk::prelude::*;
lazy_static::lazy_static! {
    static ref V: Vec<u8> = vec![1, 2, 3];
}

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
        reply.text("ok zlazy\n");
        Ok(())
    }
}

export_module!(Row);
