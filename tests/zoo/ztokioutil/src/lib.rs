//! A module around `tokio-util`.

use futures::{SinkExt, StreamExt};
use segue_sdk::prelude::*;
use tokio_util::{
    codec::{Framed, LinesCodec},
    sync::CancellationToken,
    task::TaskTracker,
};

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok ztokioutil\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        for _ in 0..4 {
            let cancelled = cancel.clone().cancelled_owned();
            tasks.spawn(cancelled);
        }
        tasks.close();
        cancel.cancel();
        tasks.wait().await;
        let (near, far) = tokio::io::duplex(64);
        Framed::new(near, LinesCodec::new()).send("a line").await?;
        let line = Framed::new(far, LinesCodec::new()).next().await;
        Ok(line.is_some_and(|line| line.is_ok_and(|line| line == "a line")))
    })
}

export_module!(Row);
