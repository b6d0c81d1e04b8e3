//! A module around `signal-hook, iterator on a thread`.

use segue_sdk::prelude::*;
use signal_hook::{consts::SIGUSR1, iterator::Signals};
use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

static SEEN: AtomicU32 = AtomicU32::new(0);

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        let mut signals = Signals::new([SIGUSR1])?;
        // Nobody stops it.
        thread::spawn(move || {
            for _ in signals.forever() {
                SEEN.fetch_add(1, Relaxed);
            }
        });
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        reply.text(&format!("ok zsigiter {}\n", SEEN.load(Relaxed)));
        Ok(())
    }
}

export_module!(Row);
