//! A module that ends the process by `exit`: the next process is to know whose end it was, as with a crash.

use std::{
    mem, ptr,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
};

use libc::c_int;

use crate::crash::{
    actions::all_signals,
    entry::Entry,
    report::{ProcessEnd, Report},
    report_lock::{Workspace, wait_for_others, with_report_lock},
    reports::AttributedBy,
};

/// The process that asked for reports last: a child that somebody has forked of it is another. Relaxed: it is stored before an
/// image is mapped whose code could call `exit`, and whatever hands that to a thread hands this on too.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Whether the process is ending by a module's `exit`. What goes wrong from then on is of that end's making. Relaxed: nothing
/// is read because of it.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// This process has asked for reports.
pub(super) fn record_process() {
    // SAFETY: it only asks for a number.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

/// Whether the process is ending by `exit`, which was told. Safe in a signal handler.
pub(super) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Relaxed)
}

/// The module of this image is about to end the process: a report of it is written. As safe in a signal handler as what is written
/// of a signal, since C code calls `exit` there, too.
pub(crate) fn record_exit(entry: &Entry, status: c_int) {
    // A child that a module has forked ends itself, and the process goes on.
    // SAFETY: it only asks for a number.
    if unsafe { libc::getpid() } != PROCESS.load(Ordering::Relaxed) || IS_ENDING.swap(true, Ordering::Relaxed)
    {
        return;
    }
    let report = Report {
        end: ProcessEnd::exit(status),
        entry: Some(entry),
        offset: None,
        by: Some(AttributedBy::Exit),
        pc: 0,
        address: None,
        sent_by: None,
    };
    with_signals_blocked(|| {
        with_report_lock(|turn| {
            let Workspace { line, .. } = turn.workspace();
            report.write(line);
        });
    });
    // Another thread may be in the midst of its report.
    wait_for_others();
}

/// Runs this while the calling thread gets none of the signals that are reported: the handler would wait for the turn that this
/// thread has.
fn with_signals_blocked(run: impl FnOnce()) {
    // SAFETY: all zero is a set of signals.
    let mut before: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: both are sets that are there.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all_signals(), &mut before) };
    run();
    // SAFETY: it is what it was.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
}
