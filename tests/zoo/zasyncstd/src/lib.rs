//! A module around `async-std`.

use segue_sdk::prelude::*;
use std::time::Duration;

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zasyncstd\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let sum = async_std::task::block_on(async {
        let tasks: Vec<_> = (0..8u64)
            .map(|n| {
                async_std::task::spawn(async move {
                    async_std::task::sleep(Duration::from_millis(1)).await;
                    n
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    });
    Ok(sum == 28)
}

export_module!(Row);
