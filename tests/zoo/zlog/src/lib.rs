//! A module around `log`.

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
            log::info!("called");
            log::max_level() <= log::LevelFilter::Trace
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zlog\n");
        Ok(())
    }
}

export_module!(Row);
