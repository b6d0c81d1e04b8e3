//! A module around `wait-timeout`.

use segue_sdk::prelude::*;
use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};
use wait_timeout::ChildExt;

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
        reply.text("ok zwaittimeout\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    // From the first call on it handles SIGCHLD and keeps a pipe in a static.
    if CALLS.fetch_add(1, Relaxed) % 20 != 0 {
        return Ok(true);
    }
    let mut child = Command::new("true").spawn()?;
    Ok(child.wait_timeout(Duration::from_secs(10))?.is_some_and(|status| status.success()))
}

export_module!(Row);
