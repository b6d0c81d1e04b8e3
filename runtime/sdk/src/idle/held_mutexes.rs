//! Unlocks mutexes of libc that an ending thread holds.
//!
//! A thread that is woken from a condition must lock the mutex of the condition before libc returns. If
//! another ending thread sleeps with that mutex locked, it would never be unlocked, and the first thread
//! would stay in libc for ever. So each ending thread unlocks the mutexes for which others may wait.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use libc::pthread_mutex_t;

/// The first fields of glibc's mutex. They are the same on x86_64 and aarch64.
#[repr(C)]
struct MutexHead {
    _word: AtomicU32,
    _count: AtomicU32,
    /// The number of the thread that holds the mutex.
    owner: AtomicI32,
    _users: AtomicU32,
    kind: AtomicI32,
}

/// The bits of `kind` that select whether the mutex may be locked more than once, and whether it checks for
/// errors.
const TYPE_BITS: i32 = 3;
/// The bits of `kind` for lock elision. They do not matter here.
const ELISION_BITS: i32 = 256 | 512;

/// Unlocks the mutex as many times as the calling thread has locked it. `tid` is the number of the calling
/// thread. Does nothing if another thread holds the mutex.
///
/// # Safety
///
/// The mutex must exist.
pub(super) unsafe fn unlock_if_held(mutex: *mut pthread_mutex_t, tid: libc::pid_t) {
    // SAFETY: our caller's promise; and the calling thread holds it, so it may unlock it.
    while unsafe { is_held(mutex, tid) && libc::pthread_mutex_unlock(mutex) == 0 } {}
}

/// Whether the thread holds the mutex. Always false for a mutex that is shared between processes, that
/// inherits or sets a priority, or that is robust, because the owner's number has another meaning there.
///
/// # Safety
///
/// The mutex must exist.
unsafe fn is_held(mutex: *mut pthread_mutex_t, tid: libc::pid_t) -> bool {
    if cfg!(not(target_env = "gnu")) {
        return false;
    }
    // SAFETY: our caller's promise, and glibc uses this layout. Other threads may change the fields at any
    // time, with atomic instructions or in whole words.
    let head = unsafe { &*mutex.cast::<MutexHead>() };
    // Relaxed: only the calling thread writes its number there or removes it.
    head.kind.load(Relaxed) & !(TYPE_BITS | ELISION_BITS) == 0 && head.owner.load(Relaxed) == tid
}

const _: () = assert!(size_of::<MutexHead>() <= size_of::<pthread_mutex_t>());
