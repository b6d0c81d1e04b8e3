//! Reports a module that ends the process with `exit`, so the next process knows which module did it.

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

/// The process that requested reports. A forked child has another id. Relaxed is enough: it is stored before
/// any image is mapped, and whatever makes the image visible to a thread makes this visible too.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Whether a module has called `exit`. Crashes after that are consequences of it. It orders no other memory
/// access, so Relaxed is enough.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Notes that this process has requested reports.
pub(super) fn record_process() {
    // SAFETY: it only returns a number.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

/// Whether the process is ending because of a reported `exit`. Async-signal-safe.
pub(super) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Relaxed)
}

/// Writes a report: the module of this image is about to call `exit`. Async-signal-safe, because C code calls
/// `exit` in signal handlers too.
pub(crate) fn record_exit(entry: &Entry, status: c_int) {
    // A child that a module has forked may exit. The process goes on.
    // SAFETY: it only returns a number.
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
        with_report_lock(|guard| {
            let Workspace { line, .. } = guard.workspace();
            report.write(line);
        });
    });
    // Another thread may be writing its report.
    wait_for_others();
}

/// Runs a function while the fatal signals are blocked for the calling thread. Their handler would wait for
/// the report lock that this thread holds.
fn with_signals_blocked(run: impl FnOnce()) {
    // SAFETY: all zero is a valid signal set.
    let mut before: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: both sets are valid.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all_signals(), &mut before) };
    run();
    // SAFETY: the set is the previous one.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
}
