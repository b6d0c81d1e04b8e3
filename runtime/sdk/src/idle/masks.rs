//! Replaces the functions of libc that block signals: the signal that wakes a thread of this image is
//! never blocked on it, as libc never blocks its own.
//!
//! Threads of the host, which are never ended, may block it.

use std::{
    ffi::c_int,
    ptr,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

use libc::sigset_t;

use super::current;
use crate::sys::syscall::{SIGNAL_SET_BYTES, errno, set_errno, syscall};

/// Those that libc keeps for itself: to cancel a thread, and to set its user.
const OF_LIBC: u64 = bit(32) | bit(33);

/// The signal that wakes a thread. 0 if there is none. Written once, before a thread of this image is known:
/// Relaxed is enough.
static WAKES: AtomicI32 = AtomicI32::new(0);

/// What the kernel reads of a mask that a module gave it.
pub(super) struct Mask(Option<u64>);

/// The host wakes threads by this signal; 0 if it cannot.
pub(crate) fn set_wake_signal(signal: c_int) {
    WAKES.store(signal, Relaxed);
}

/// The signal that wakes a thread, if there is one.
pub(super) fn wake_signal() -> Option<c_int> {
    Some(WAKES.load(Relaxed)).filter(|signal| *signal != 0)
}

/// Replaces `pthread_sigmask`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn pthread_sigmask(how: c_int, set: *const sigset_t, before: *mut sigset_t) -> c_int {
    let errno_before = errno();
    // SAFETY: our caller's promise, passed on.
    match unsafe { sigprocmask(how, set, before) } {
        0 => 0,
        _ => {
            let error = errno();
            set_errno(errno_before);
            error
        }
    }
}

/// Replaces `sigprocmask`. It asks the kernel, so a child after `fork` may call it.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn sigprocmask(how: c_int, set: *const sigset_t, before: *mut sigset_t) -> c_int {
    // What is taken away is never blocked, so it does not matter if it is to be unblocked.
    // SAFETY: our caller's promise: it is null or can be read.
    let mask = unsafe { Mask::new(set) }.without(OF_LIBC);
    syscall!(SYS_rt_sigprocmask, how, mask.address(), before, SIGNAL_SET_BYTES) as c_int
}

/// The calling thread, of this image, may have been born with the signal blocked.
pub(super) fn unblock() {
    let set = bit(WAKES.load(Relaxed));
    syscall!(SYS_rt_sigprocmask, libc::SIG_UNBLOCK, &raw const set, ptr::null::<u64>(), SIGNAL_SET_BYTES);
}

/// The set of one signal, as the kernel reads it. That of no signal is empty.
const fn bit(signal: c_int) -> u64 {
    if signal < 1 { 0 } else { 1 << (signal - 1) }
}

// === impl Mask ===

impl Mask {
    /// Without the signal that wakes the calling thread, if that is of this image.
    ///
    /// # Safety
    ///
    /// The set is null, or can be read.
    pub(super) unsafe fn new(set: *const sigset_t) -> Self {
        // SAFETY: our caller's promise. The kernel's set is the beginning of libc's.
        let mask = Mask(unsafe { set.cast::<u64>().as_ref() }.copied());
        if current().is_some() { mask.without(bit(WAKES.load(Relaxed))) } else { mask }
    }

    fn without(self, signals: u64) -> Self {
        Mask(self.0.map(|set| set & !signals))
    }

    /// For the kernel: null, or where the set is, while this is.
    pub(super) fn address(&self) -> *const u64 {
        self.0.as_ref().map_or(ptr::null(), ptr::from_ref)
    }
}
