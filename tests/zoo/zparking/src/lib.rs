//! A module around `parking_lot`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: parking_lot::Mutex<u64>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: parking_lot::Mutex::new(0) })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            let mut n = self.state.lock();
            *n += 1;
            *n > 0
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zparking\n");
        Ok(())
    }
}

export_module!(Row);
