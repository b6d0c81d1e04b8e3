//! A module around `tokio, runtime of host.tokio()`.

use std::time::Duration;

use segue_sdk::prelude::*;
use tokio::{runtime::Handle, time::sleep};

struct Row {
    tokio: Handle,
}

impl Module for Row {
    fn on_load(host: &Host) -> Result<Self, Fault> {
        let tokio = host.tokio()?;
        // It never ends.
        tokio.spawn(async {
            loop {
                sleep(Duration::from_millis(1)).await;
            }
        });
        Ok(Row { tokio })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let task = self.tokio.spawn(async {
            sleep(Duration::from_millis(1)).await;
            tokio::task::spawn_blocking(|| 42).await
        });
        let answer = self.tokio.block_on(task)??;
        if answer != 42 {
            return Err(Fault::new("wrong answer"));
        }
        reply.text("ok zhosttokio\n");
        Ok(())
    }
}

export_module!(Row);
