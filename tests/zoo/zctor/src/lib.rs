//! A module around `ctor, a signal handler`.

use segue_sdk::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static SEEN: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_signal(_: i32) {
    SEEN.fetch_add(1, Relaxed);
}

/// Runs while the file is being mapped, before `on_load`.
#[ctor::ctor]
fn before_all() {
    // SAFETY: the handler only adds.
    unsafe { libc::signal(libc::SIGUSR1, on_signal as extern "C" fn(i32) as libc::sighandler_t) };
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        // SAFETY: it is handled.
        unsafe { libc::raise(libc::SIGUSR1) };
        if SEEN.load(Relaxed) == 0 {
            return Err(Fault::new("the signal did not come"));
        }
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        reply.text(&format!("ok zctor {}\n", SEEN.load(Relaxed)));
        Ok(())
    }
}

export_module!(Row);
