//! Replaces the functions of libc that block signals, so that the signal that wakes a thread of this image is
//! never blocked on that thread. libc protects its internal signals in the same way.
//!
//! Threads of the host may block the signal, because they are never ended.

use std::{
    ffi::c_int,
    ptr,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

use libc::sigset_t;

use crate::{
    idle::thread::current,
    sys::syscall::{SIGNAL_SET_BYTES, errno, set_errno, syscall},
};

/// The internal signals of libc: to cancel a thread, and to set the user of all threads.
const LIBC_SIGNALS: u64 = signal_bit(32) | signal_bit(33);

/// The signal that wakes a thread; 0 if there is none. Written once, before any thread of this image is
/// known, so Relaxed is enough.
static WAKE_SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The part of a signal mask that the kernel reads.
pub(super) struct Mask(Option<u64>);

/// Sets the signal with which the host wakes threads; 0 if there is none.
pub(crate) fn set_wake_signal(signal: c_int) {
    WAKE_SIGNAL.store(signal, Relaxed);
}

/// The signal that wakes a thread, if there is one.
pub(super) fn wake_signal() -> Option<c_int> {
    Some(WAKE_SIGNAL.load(Relaxed)).filter(|signal| *signal != 0)
}

/// Replaces `pthread_sigmask`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn pthread_sigmask(how: c_int, set: *const sigset_t, previous: *mut sigset_t) -> c_int {
    let errno_before = errno();
    // SAFETY: our caller's promise, passed on.
    match unsafe { sigprocmask(how, set, previous) } {
        0 => 0,
        _ => {
            let error = errno();
            set_errno(errno_before);
            error
        }
    }
}

/// Replaces `sigprocmask`. It calls only the kernel, so a child may call it after `fork`.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn sigprocmask(how: c_int, set: *const sigset_t, previous: *mut sigset_t) -> c_int {
    // The signals removed here are never blocked, so a call that would unblock them needs no special case.
    // SAFETY: our caller's promise: the set is null or can be read.
    let mask = unsafe { Mask::new(set) }.without(LIBC_SIGNALS);
    syscall!(SYS_rt_sigprocmask, how, mask.address(), previous, SIGNAL_SET_BYTES) as c_int
}

/// Unblocks the signal on the calling thread of this image, which may have inherited a mask that blocks it.
pub(super) fn unblock_wake_signal() {
    let set = signal_bit(WAKE_SIGNAL.load(Relaxed));
    syscall!(SYS_rt_sigprocmask, libc::SIG_UNBLOCK, &raw const set, ptr::null::<u64>(), SIGNAL_SET_BYTES);
}

/// The kernel's set with this one signal. Empty for 0.
const fn signal_bit(signal: c_int) -> u64 {
    if signal < 1 { 0 } else { 1 << (signal - 1) }
}

// === impl Mask ===

impl Mask {
    /// The mask, without the wake signal if the calling thread is of this image.
    ///
    /// # Safety
    ///
    /// The set must be null or readable.
    pub(super) unsafe fn new(set: *const sigset_t) -> Self {
        // SAFETY: our caller's promise. The kernel's set is the first part of libc's.
        let mask = Mask(unsafe { set.cast::<u64>().as_ref() }.copied());
        if current().is_some() { mask.without(signal_bit(WAKE_SIGNAL.load(Relaxed))) } else { mask }
    }

    fn without(self, signals: u64) -> Self {
        Mask(self.0.map(|set| set & !signals))
    }

    /// The address of the set for the kernel, or null. It is valid as long as `self` is not moved or dropped.
    pub(super) fn address(&self) -> *const u64 {
        self.0.as_ref().map_or(ptr::null(), ptr::from_ref)
    }
}
