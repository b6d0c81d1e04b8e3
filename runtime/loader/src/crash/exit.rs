//! A module that ends the process by `exit`: nobody has asked for that end either, and the next process is to know whose it was.

use std::sync::atomic::{AtomicI32, Ordering};

use libc::c_int;

use super::{
    AttributedBy, Entry,
    report::Report,
    turn::{Workspace, in_turn, wait_for_others},
};

/// The process that asked for reports. Relaxed: only equality counts.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// This process has asked for reports.
pub(super) fn note_process() {
    // SAFETY: it only asks for a number.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

/// The module of this image is about to end the process. It is on the disk when this returns.
pub(crate) fn exiting(entry: &Entry, status: c_int) {
    // A child that a module has forked ends itself, and the process goes on.
    // SAFETY: it only asks for a number.
    if unsafe { libc::getpid() } != PROCESS.load(Ordering::Relaxed) {
        return;
    }
    // What the parent gets of it.
    let name = format!("exit({})", status & 0xff);
    in_turn(|turn| {
        let Workspace { line, .. } = turn.workspace();
        let report = Report {
            signal: 0,
            name: &name,
            entry: Some(entry),
            offset: None,
            by: Some(AttributedBy::Exit),
            pc: 0,
            address: None,
            sent_by: None,
        };
        report.write(line);
    });
    // Another thread may be in the midst of its report.
    wait_for_others();
}
