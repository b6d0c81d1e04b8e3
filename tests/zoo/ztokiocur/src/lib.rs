//! A module around `tokio, current-thread`.

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
            let rt = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(fault)?;
            rt.block_on(async {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                42
            }) == 42
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok ztokiocur\n");
        Ok(())
    }
}

export_module!(Row);
