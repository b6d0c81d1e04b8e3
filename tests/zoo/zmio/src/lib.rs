//! A module around `mio`.

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
            let mut p = mio::Poll::new().map_err(fault)?;
            p.poll(&mut mio::Events::with_capacity(4), Some(std::time::Duration::ZERO)).is_ok()
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zmio\n");
        Ok(())
    }
}

export_module!(Row);
