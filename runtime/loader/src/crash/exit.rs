//! A module that ends the process by `exit`: the next process is to know whose end it was, as with a crash.

use std::{
    mem, ptr,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
};

use libc::c_int;

use super::{
    AttributedBy, Entry, SIGNALS,
    report::Report,
    turn::{Workspace, in_turn, wait_for_others},
};

/// The process that asked for reports last: a child that somebody has forked of it is another. Relaxed: it is stored before an
/// image is mapped whose code could call `exit`, and whatever hands that to a thread hands this on too.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Whether the process is ending by a module's `exit`. What goes wrong from then on is of that end's making. Relaxed: nothing
/// is read because of it.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// How long a name can be: that of a status of three digits.
const NAME_BYTES_MAX: usize = "exit(255)".len();

/// This process has asked for reports.
pub(super) fn note_process() {
    // SAFETY: it only asks for a number.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

/// Whether the process is ending by `exit`, which was told. Safe in a signal handler.
pub(super) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Relaxed)
}

/// The module of this image is about to end the process: a report of it is written. As safe in a signal handler as what is written
/// of a signal, since C code calls `exit` there, too.
pub(crate) fn exiting(entry: &Entry, status: c_int) {
    // A child that a module has forked ends itself, and the process goes on.
    // SAFETY: it only asks for a number.
    if unsafe { libc::getpid() } != PROCESS.load(Ordering::Relaxed) || IS_ENDING.swap(true, Ordering::Relaxed)
    {
        return;
    }
    let mut name = [0; NAME_BYTES_MAX];
    let report = Report {
        signal: 0,
        name: put_name(&mut name, status),
        entry: Some(entry),
        offset: None,
        by: Some(AttributedBy::Exit),
        pc: 0,
        address: None,
        sent_by: None,
    };
    without_signals(|| {
        in_turn(|turn| {
            let Workspace { line, .. } = turn.workspace();
            report.write(line);
        });
    });
    // Another thread may be in the midst of its report.
    wait_for_others();
}

/// What the end is called, with the status as the parent gets it.
fn put_name(name: &mut [u8; NAME_BYTES_MAX], status: c_int) -> &str {
    let status = status as u8;
    let digits = [status / 100, status / 10 % 10, status % 10];
    let leading = digits[..2].iter().take_while(|digit| **digit == 0).count();
    let mut len = 0;
    let mut put = |byte| {
        name[len] = byte;
        len += 1;
    };
    b"exit(".iter().for_each(|byte| put(*byte));
    digits[leading..].iter().for_each(|digit| put(b'0' + digit));
    put(b')');
    str::from_utf8(&name[..len]).unwrap_or("exit")
}

/// Runs this while the calling thread gets none of the signals that are reported: the handler would wait for the turn that this
/// thread has.
fn without_signals(run: impl FnOnce()) {
    // SAFETY: all zero is a set of signals.
    let (mut ours, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { (mem::zeroed(), mem::zeroed()) };
    // SAFETY: they take sets that are there, and numbers of signals.
    unsafe {
        libc::sigemptyset(&mut ours);
        SIGNALS.iter().for_each(|(signal, _)| {
            libc::sigaddset(&mut ours, *signal);
        });
        libc::pthread_sigmask(libc::SIG_BLOCK, &ours, &mut before);
    }
    run();
    // SAFETY: it is what it was.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_the_status_as_the_parent_gets_it() {
        for (status, expected) in [
            (0, "exit(0)"),
            (7, "exit(7)"),
            (10, "exit(10)"),
            (101, "exit(101)"),
            (255, "exit(255)"),
            (-1, "exit(255)"),
            (256, "exit(0)"),
        ] {
            assert_eq!(put_name(&mut [0; NAME_BYTES_MAX], status), expected);
        }
    }
}
