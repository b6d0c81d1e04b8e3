//! A module around `futures, ThreadPool in a static`.

use futures::{executor::ThreadPool, task::SpawnExt};
use segue_sdk::prelude::*;
use std::sync::LazyLock;

static POOL: LazyLock<ThreadPool> = LazyLock::new(|| ThreadPool::new().expect("a pool"));

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zfutures\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let handle = POOL.spawn_with_handle(async { 42 })?;
    Ok(futures::executor::block_on(handle) == 42)
}

export_module!(Row);
