//! A module around `sha2`.

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
            use sha2::Digest;
            sha2::Sha256::digest(b"x").len() == 32
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zsha2\n");
        Ok(())
    }
}

export_module!(Row);
