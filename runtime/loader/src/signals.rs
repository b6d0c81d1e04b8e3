//! Signal handlers that a module installed: unmapping their code ends the process at the next such signal.
//!
//! Crates that chain handlers (signal-hook-registry, and so `tokio::signal` and ctrlc) save the previous handler and call it
//! from their own. The previous handler may be code of an older version, which leaves memory while the newer one still calls
//! it. So a module's `sigaction` leads here ([`act`]), and the module never learns the address of another image's handler: it
//! gets the action that the host had before the first module changed it.

use std::{mem, ops::Range, ptr};

use libc::{c_int, sigaction};
use parking_lot::Mutex;

use crate::crash::{self, TABLE};

/// One more than the highest signal of Linux.
const SIGNALS_MAX: usize = 65;

/// What the host did at each signal before a module handled it; none for a signal that no module has handled.
static OF_HOST: Mutex<[Option<sigaction>; SIGNALS_MAX]> = Mutex::new([None; SIGNALS_MAX]);

/// Does what `sigaction` does, for code of an image. The previous action is that of the host if another image has set it; an
/// image that wants its own handler back after a while keeps it itself.
///
/// # Safety
///
/// As `sigaction`.
pub(crate) unsafe fn act(signal: c_int, action: *const sigaction, previous: *mut sigaction) -> c_int {
    // Held across the call, so that no other image sets an action between the call and the note.
    let mut of_host = OF_HOST.lock();
    let mut before = nothing();
    // SAFETY: our caller's promise, handed on; `before` can be written.
    let error = unsafe { libc::sigaction(signal, action, &mut before) };
    if error != 0 {
        return error;
    }
    // The system has accepted the number, so it has a place.
    if let Some(noted) = usize::try_from(signal).ok().and_then(|signal| of_host.get_mut(signal)) {
        if TABLE.has(before.sa_sigaction) {
            before = noted.unwrap_or_else(nothing);
        } else {
            *noted = Some(before);
        }
    }
    if !previous.is_null() {
        // SAFETY: our caller's promise.
        unsafe { previous.write(before) };
    }
    error
}

/// The default action.
fn nothing() -> sigaction {
    // SAFETY: all its fields may be zero.
    unsafe { mem::zeroed() }
}

/// The signals whose handlers lie in this range of addresses.
pub(crate) fn handled_in(image: &Range<usize>) -> Vec<i32> {
    // One that was displaced by the runtime's own handler gets its signals from that.
    let is_in = |signal: &i32| {
        [handler(*signal), crash::displaced(*signal)].into_iter().flatten().any(|at| image.contains(&at))
    };
    (1..=libc::SIGRTMAX()).filter(is_in).collect()
}

/// Where the handler of a signal is. None for those that libc keeps for itself.
fn handler(signal: i32) -> Option<usize> {
    let mut action = nothing();
    // SAFETY: it only asks, and `action` can be written.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    (error == 0).then_some(action.sa_sigaction)
}

/// What a signal is called: `SIGUSR1`.
pub fn name(signal: i32) -> String {
    const NAMES: [(i32, &str); 30] = [
        (libc::SIGHUP, "HUP"),
        (libc::SIGINT, "INT"),
        (libc::SIGQUIT, "QUIT"),
        (libc::SIGILL, "ILL"),
        (libc::SIGTRAP, "TRAP"),
        (libc::SIGABRT, "ABRT"),
        (libc::SIGBUS, "BUS"),
        (libc::SIGFPE, "FPE"),
        (libc::SIGKILL, "KILL"),
        (libc::SIGUSR1, "USR1"),
        (libc::SIGSEGV, "SEGV"),
        (libc::SIGUSR2, "USR2"),
        (libc::SIGPIPE, "PIPE"),
        (libc::SIGALRM, "ALRM"),
        (libc::SIGTERM, "TERM"),
        (libc::SIGSTKFLT, "STKFLT"),
        (libc::SIGCHLD, "CHLD"),
        (libc::SIGCONT, "CONT"),
        (libc::SIGSTOP, "STOP"),
        (libc::SIGTSTP, "TSTP"),
        (libc::SIGTTIN, "TTIN"),
        (libc::SIGTTOU, "TTOU"),
        (libc::SIGURG, "URG"),
        (libc::SIGXCPU, "XCPU"),
        (libc::SIGXFSZ, "XFSZ"),
        (libc::SIGVTALRM, "VTALRM"),
        (libc::SIGPROF, "PROF"),
        (libc::SIGWINCH, "WINCH"),
        (libc::SIGIO, "IO"),
        (libc::SIGSYS, "SYS"),
    ];
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("SIG{name}"),
        None if signal >= libc::SIGRTMIN() => format!("SIGRTMIN+{}", signal - libc::SIGRTMIN()),
        None => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn ignore(_: i32) {}

    #[test]
    fn a_handler_is_found_where_it_is_and_nowhere_else() {
        let at = ignore as extern "C" fn(i32) as usize;
        // SAFETY: the handler does nothing, so it may run at any time.
        unsafe { libc::signal(libc::SIGURG, at) };
        assert_eq!(handled_in(&(at..at + 1)), [libc::SIGURG]);
        assert!(handled_in(&(at + 1..at + 2)).is_empty());
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGURG, libc::SIG_DFL) };
        assert!(handled_in(&(at..at + 1)).is_empty());
    }

    #[test]
    fn signals_have_their_names() {
        assert_eq!(name(libc::SIGUSR1), "SIGUSR1");
        assert_eq!(name(libc::SIGRTMIN() + 2), "SIGRTMIN+2");
        assert_eq!(name(33), "signal 33");
    }
}
