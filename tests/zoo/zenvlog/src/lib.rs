//! A module around `env_logger`.

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
        Ok(Row {
            state: {
                let _ = env_logger::Builder::new().filter_level(log::LevelFilter::Off).try_init();
            },
        })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            log::error!(target: "quiet", "called");
            true
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zenvlog\n");
        Ok(())
    }
}

export_module!(Row);
