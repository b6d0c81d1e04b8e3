//! The lock of the signal actions.
//!
//! POSIX lets a signal handler call `sigaction`. A handler that interrupts the thread that holds the lock
//! would wait forever. So a thread blocks all signals while it holds the lock.

use std::{
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use libc::{c_int, sigset_t};

use crate::signals::{actions::Actions, host::SIGNALS_MAX};

/// A mutex of `std`, because it allocates nothing and waits only in the kernel.
static ACTIONS: Mutex<Actions> = Mutex::new(Actions {
    image_actions: Vec::new(),
    host_actions: [None; SIGNALS_MAX],
    installed: [None; SIGNALS_MAX],
    serial: 0,
    running: Vec::new(),
});

/// Signals that a fault of the thread itself raises. If one is blocked, the kernel ends the process.
const FAULTS: [c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// Holds the lock. It is released before the signals are unblocked.
pub(super) struct ActionsGuard {
    actions: MutexGuard<'static, Actions>,
    _blocked: BlockedSignals,
}

/// Blocks all signals except the faults until it is dropped. Contains the previous mask.
struct BlockedSignals(sigset_t);

/// Takes the lock. Async-signal-safe.
pub(super) fn actions() -> ActionsGuard {
    let blocked = BlockedSignals::new();
    ActionsGuard { actions: ACTIONS.lock().unwrap_or_else(PoisonError::into_inner), _blocked: blocked }
}

// === impl ActionsGuard, BlockedSignals ===

impl Deref for ActionsGuard {
    type Target = Actions;

    fn deref(&self) -> &Actions {
        &self.actions
    }
}

impl DerefMut for ActionsGuard {
    fn deref_mut(&mut self) -> &mut Actions {
        &mut self.actions
    }
}

impl BlockedSignals {
    /// Uses little stack, because a signal handler may have a small one.
    fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: both are writable. `sigfillset` initializes the first, and `pthread_sigmask` the second.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for fault in &FAULTS {
                libc::sigdelset(all.as_mut_ptr(), *fault);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
            BlockedSignals(before.assume_init())
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is initialized.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}
