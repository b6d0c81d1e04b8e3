//! A module around `nix, sigaction and a pipe`.

use nix::{
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction},
    unistd,
};
use segue_sdk::prelude::*;
use std::{
    os::fd::OwnedFd,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

static SEEN: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_signal(_: i32) {
    SEEN.fetch_add(1, Relaxed);
}

/// Dropping it closes the pipe.
struct Row {
    read: OwnedFd,
    write: OwnedFd,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler only adds.
        unsafe { sigaction(Signal::SIGUSR1, &action) }?;
        raise(Signal::SIGUSR1)?;
        if SEEN.load(Relaxed) == 0 {
            return Err(Fault::new("the signal did not come"));
        }
        let (read, write) = unistd::pipe()?;
        Ok(Row { read, write })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let mut byte = [0];
        if unistd::write(&self.write, b"x")? != 1 || unistd::read(&self.read, &mut byte)? != 1 {
            return Err(Fault::new("wrong result"));
        }
        reply.text(&format!("ok znix {}\n", SEEN.load(Relaxed)));
        Ok(())
    }
}

export_module!(Row);
