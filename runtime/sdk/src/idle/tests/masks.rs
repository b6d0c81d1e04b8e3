//! Ending threads that block all signals.

use libc::{sigset_t, timespec};

use super::*;

const ONE_MINUTE: timespec = timespec { tv_sec: 60, tv_nsec: 0 };

fn all_signals() -> sigset_t {
    // SAFETY: all zero is the empty set, which can be written.
    unsafe {
        let mut all: sigset_t = mem::zeroed();
        libc::sigfillset(&mut all);
        all
    }
}

/// The signals that the calling thread has blocked.
fn blocked() -> sigset_t {
    // SAFETY: it changes nothing, and the set can be written.
    unsafe {
        let mut now: sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut now);
        now
    }
}

fn is_in(signal: c_int, set: &sigset_t) -> bool {
    // SAFETY: the set is initialized.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Waits in one of the ways that a module may use, with all signals blocked.
type Wait = fn(&sigset_t);

/// Each function gets a set that can be read. Arguments that may be null are null.
static WAITS: [Wait; 6] = [
    // SAFETY: as above.
    |all| unsafe {
        let mut before: sigset_t = mem::zeroed();
        assert_eq!(replacements::pthread_sigmask(libc::SIG_SETMASK, all, &mut before), 0);
        assert!(is_in(libc::SIGUSR1, &before) && is_in(libc::SIGUSR1, &blocked()));
        replacements::sleep(60);
    },
    // SAFETY: as above.
    |all| unsafe {
        assert_eq!(replacements::sigprocmask(libc::SIG_BLOCK, all, ptr::null_mut()), 0);
        replacements::nanosleep(&ONE_MINUTE, ptr::null_mut());
    },
    // SAFETY: as above.
    |all| unsafe {
        replacements::ppoll(ptr::null_mut(), 0, &ONE_MINUTE, all);
    },
    // SAFETY: as above.
    |all| unsafe {
        let none = ptr::null_mut();
        replacements::pselect(0, none, none, none, &ONE_MINUTE, all);
    },
    // SAFETY: as above.
    |all| unsafe {
        replacements::sigsuspend(all);
    },
    // SAFETY: as above.
    |all| unsafe {
        let (file, mut event) = (libc::epoll_create1(libc::EPOLL_CLOEXEC), mem::zeroed());
        replacements::epoll_pwait(file, &mut event, 1, -1, all);
    },
];

unsafe extern "C" fn block_and_wait(wait: *mut c_void) -> *mut c_void {
    assert!(!is_in(*SIGNAL, &blocked()), "the signal is not blocked, even if the parent thread blocks it");
    // SAFETY: the test passes such a pointer.
    let wait = unsafe { *wait.cast::<Wait>() };
    wait(&all_signals());
    ptr::null_mut()
}

#[test]
fn a_thread_that_blocks_all_signals_ends() {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = *SIGNAL;
    // SAFETY: the set can be read.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all_signals(), ptr::null_mut()) };
    assert!(is_in(*SIGNAL, &blocked()));
    for wait in &WAITS {
        start(block_and_wait, wait);
        end_all(1);
    }
}

#[test]
fn masks_of_other_threads_are_set_as_requested() {
    let all = all_signals();
    // SAFETY: the sets can be read, and `before` can be written.
    unsafe {
        let mut before: sigset_t = mem::zeroed();
        assert_eq!(replacements::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before), 0);
        assert!(is_in(*SIGNAL, &blocked()));
        assert_eq!(replacements::sigprocmask(libc::SIG_SETMASK, &before, ptr::null_mut()), 0);
        assert!(!is_in(*SIGNAL, &blocked()));
        assert_eq!(replacements::pthread_sigmask(-1, &all, ptr::null_mut()), libc::EINVAL);
    }
}
