//! Mutexes of libc that a thread holds that ends.
//!
//! A thread that waits for a condition gets its mutex before libc lets it go. If another thread that ends
//! sleeps with that mutex locked, nobody would unlock it, and the first thread would stay in libc for ever.
//! So each thread that ends unlocks what others are to get.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use libc::pthread_mutex_t;

/// The beginning of a mutex of glibc, the same on x86_64 and aarch64.
#[repr(C)]
struct Head {
    _word: AtomicU32,
    _count: AtomicU32,
    /// The thread that holds it, by its number.
    owner: AtomicI32,
    _users: AtomicU32,
    kind: AtomicI32,
}

/// The bits of a kind that say whether it may be locked more than once, and checks.
const PLAIN: i32 = 3;
/// Those of lock elision, which change nothing here.
const ELISION: i32 = 256 | 512;

/// Unlocks the mutex as often as the calling thread, with this number, has locked it; or not at all, if
/// another one has.
///
/// # Safety
///
/// The mutex is there.
pub(super) unsafe fn give_back(mutex: *mut pthread_mutex_t, tid: libc::pid_t) {
    // SAFETY: our caller's promise; and the calling thread holds it, so it may unlock it.
    while unsafe { is_held(mutex, tid) && libc::pthread_mutex_unlock(mutex) == 0 } {}
}

/// Whether the thread holds the mutex. Of one that is shared between processes, that inherits or sets a
/// priority, or that outlives its owner, this does not say so: the owner's number means other things there.
///
/// # Safety
///
/// The mutex is there.
unsafe fn is_held(mutex: *mut pthread_mutex_t, tid: libc::pid_t) -> bool {
    if cfg!(not(target_env = "gnu")) {
        return false;
    }
    // SAFETY: our caller's promise, and that is how glibc lays it out. Others may change it at any time, by
    // atomic instructions or whole words.
    let head = unsafe { &*mutex.cast::<Head>() };
    // Relaxed: nobody else writes the calling thread's number there, nor takes it away.
    head.kind.load(Relaxed) & !(PLAIN | ELISION) == 0 && head.owner.load(Relaxed) == tid
}

const _: () = assert!(size_of::<Head>() <= size_of::<pthread_mutex_t>());
