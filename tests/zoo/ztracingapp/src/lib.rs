//! A module around `tracing-appender, non_blocking`.

use segue_sdk::prelude::*;
use std::{
    io::Write,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok ztracingapp\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let (mut writer, guard) = tracing_appender::non_blocking(std::io::sink());
    writer.write_all(b"one line\n")?;
    // Dropping the guard is the only way to end the writer's thread, and it is forgotten.
    if CALLS.fetch_add(1, Relaxed) == 0 {
        std::mem::forget(guard);
    }
    Ok(true)
}

export_module!(Row);
