//! The lock of those who change what signals do.
//!
//! POSIX lets a signal handler call `sigaction`. One that interrupts the thread that has the lock would wait
//! for it for ever, so that thread blocks all signals meanwhile.

use std::{
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use libc::{c_int, sigset_t};

use crate::signals::{actions::Actions, host::SIGNALS_MAX};

/// A mutex of `std`: it allocates nothing, and waits by a call of the kernel alone.
static ACTIONS: Mutex<Actions> = Mutex::new(Actions {
    image_actions: Vec::new(),
    host_actions: [None; SIGNALS_MAX],
    installed: [None; SIGNALS_MAX],
    serial: 0,
    running: Vec::new(),
});

/// Signals that the calling thread causes itself. If one is blocked, the kernel ends the process.
const FAULTS: [c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// The lock, which is given back before the signals come again.
pub(super) struct ActionsGuard {
    actions: MutexGuard<'static, Actions>,
    _blocked: BlockedSignals,
}

/// What the calling thread had blocked before.
struct BlockedSignals(sigset_t);

/// Takes the lock. Safe in a signal handler.
pub(super) fn actions() -> ActionsGuard {
    let blocked = BlockedSignals::new();
    ActionsGuard { actions: ACTIONS.lock().unwrap_or_else(PoisonError::into_inner), _blocked: blocked }
}

// === impl Locked, Blocked ===

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
    /// Uses little stack: a signal handler may run on a small one.
    fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: both can be written. `sigfillset` initializes the first, and `pthread_sigmask` the second.
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
