//! Serializes the destruction of a heap with the exit of a thread, and with the first use of a heap by a
//! thread.
//!
//! When a thread exits, mimalloc detaches it from every heap that it has used. When a heap is destroyed,
//! mimalloc detaches it from every thread that has used it. In the pinned version, the two race: an exiting
//! thread follows a pointer to its heap that the other has just set to null, and returns pages that the other
//! frees (`mi_thread_theaps_done` and `mi_heap_free_theaps`). It happened once in some tens of thousands of
//! purges. So both take a lock here.
//!
//! When a thread uses a heap for the first time, mimalloc reads the heap that the thread used before, without
//! a lock (`_mi_theap_init` splits the random numbers of the last heap). If that heap is being destroyed, it
//! reads and writes memory that belongs to something else. So a first use waits while a heap is destroyed
//! ([`hold_for_first_use`]). It happened once in some ten runs of the conformance suite.
//!
//! mimalloc detects the exit of a thread with the destructor of its own pthread key. [`hook_current_thread`]
//! moves the calling thread's value to a key of this module, whose destructor does the same under the lock.

use std::{ffi::c_void, ptr, sync::OnceLock};

use libmimalloc_sys as mimalloc;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

unsafe extern "C" {
    /// The key whose destructor tells mimalloc that a thread exits. It is set once, before its first use.
    static _mi_heap_default_key: libc::pthread_key_t;
    /// The destructor of that key.
    fn _mi_thread_done(value: *mut c_void);
    /// Registers the calling thread with mimalloc, so the key has a value on it.
    fn mi_thread_init();
}

/// Held exclusively while a thread is detached from its heaps and while a heap is destroyed. Shared by
/// threads that use a heap for the first time.
static LOCK: RwLock<()> = RwLock::new(());

/// The key of this module; `None` if the process has no free key. Then mimalloc handles the exit of threads
/// without the lock.
static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Makes the exit of the calling thread wait for heaps that are being destroyed. Call it once per thread,
/// before or right after its first use of a heap that may be destroyed.
pub(crate) fn hook_current_thread() {
    let Some(key) = KEY.get_or_init(make_key) else { return };
    // SAFETY: it has no preconditions.
    unsafe { mi_thread_init() };
    // SAFETY: mimalloc is initialized, so nothing writes it any more.
    let mimalloc_key = unsafe { _mi_heap_default_key };
    // SAFETY: both keys exist until the process ends. One of them always has the value.
    unsafe {
        let value = libc::pthread_getspecific(mimalloc_key);
        if !value.is_null() && libc::pthread_setspecific(*key, value) == 0 {
            libc::pthread_setspecific(mimalloc_key, ptr::null());
        }
    }
}

/// Prevents the destruction of heaps while the calling thread uses one for the first time.
pub(crate) fn hold_for_first_use() -> RwLockReadGuard<'static, ()> {
    // Recursive, so a thread that waits to destroy a heap does not block it.
    LOCK.read_recursive()
}

/// The lock that is held while a heap is destroyed.
#[cfg(test)]
pub(crate) fn hold_for_destroy() -> RwLockWriteGuard<'static, ()> {
    LOCK.write()
}

/// Destroys a heap and everything in it, under the lock.
///
/// # Safety
///
/// As for `mi_heap_destroy`: nothing may follow a pointer into the heap any more.
pub(crate) unsafe fn destroy(heap: *mut mimalloc::mi_heap_t) {
    let _lock: RwLockWriteGuard<'_, ()> = LOCK.write();
    // SAFETY: guaranteed by the caller.
    unsafe { mimalloc::mi_heap_destroy(heap) };
}

fn make_key() -> Option<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: `key` is writable, and the destructor is host code, which stays.
    (unsafe { libc::pthread_key_create(&mut key, Some(on_thread_exit)) } == 0).then_some(key)
}

/// Runs when a hooked thread exits.
unsafe extern "C" fn on_thread_exit(value: *mut c_void) {
    let _lock = LOCK.write();
    // SAFETY: it is mimalloc's value for this thread, and mimalloc's own destructor will not get it.
    unsafe { _mi_thread_done(value) };
}
