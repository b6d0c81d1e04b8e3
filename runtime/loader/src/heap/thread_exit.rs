//! Keeps the end of a thread, and its first use of a heap, apart from the end of a heap.
//!
//! When a thread ends, mimalloc takes leave of every heap that the thread has used, and when a heap is
//! destroyed, of every thread that has used it. In the version that is pinned the two are not kept apart: a
//! thread that ends follows a pointer to its heap that the other has just made null, and gives pages back
//! that the other frees (`mi_thread_theaps_done` and `mi_heap_free_theaps`; in some tens of thousands of
//! purges one such thread was met). So both take one lock here.
//!
//! When a thread uses a heap for the first time, mimalloc looks at what the thread used before, without a
//! lock (`_mi_theap_init`: it splits the random numbers of the last heap). If that heap is destroyed at this
//! moment, it reads and writes memory that is somebody else's. So a first use waits while a heap is destroyed
//! ([`hold_for_first_use`]). It took some ten runs of the conformance suite to meet one.
//!
//! mimalloc hears of a thread's end by the destructor of a pthread key of its own. [`hook_current_thread`] moves the
//! calling thread's value to a key of ours, whose destructor does the same under the lock.

use std::{ffi::c_void, ptr, sync::OnceLock};

use libmimalloc_sys as mimalloc;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

unsafe extern "C" {
    /// The key by whose destructor mimalloc hears that a thread ends. It is set once, before it can be used.
    static _mi_heap_default_key: libc::pthread_key_t;
    /// What that destructor does, with the value.
    fn _mi_thread_done(value: *mut c_void);
    /// Makes sure that mimalloc knows the calling thread, and the key has a value on it.
    fn mi_thread_init();
}

/// Held by a thread while it takes leave of its heaps, and while a heap is destroyed; shared by threads that
/// begin to use a heap.
static LOCK: RwLock<()> = RwLock::new(());

/// The key of ours; none where the process has no more keys. Then a thread ends as mimalloc has it.
static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Has the calling thread's end wait for heaps that are being destroyed. Once is enough, before the thread
/// has used a heap that may be destroyed, or right after it.
pub(crate) fn hook_current_thread() {
    let Some(key) = KEY.get_or_init(make_key) else { return };
    // SAFETY: it has no conditions.
    unsafe { mi_thread_init() };
    // SAFETY: nobody writes it any more: mimalloc has begun.
    let theirs = unsafe { _mi_heap_default_key };
    // SAFETY: both keys exist for as long as the process. The value is under one of them at any time.
    unsafe {
        let value = libc::pthread_getspecific(theirs);
        if !value.is_null() && libc::pthread_setspecific(*key, value) == 0 {
            libc::pthread_setspecific(theirs, ptr::null());
        }
    }
}

/// Keeps all heaps while the calling thread may use one for the first time.
pub(crate) fn hold_for_first_use() -> RwLockReadGuard<'static, ()> {
    // Recursive: a heap that waits to go keeps nobody waiting.
    LOCK.read_recursive()
}

/// What a heap holds while it is destroyed.
#[cfg(test)]
pub(crate) fn hold_for_destroy() -> RwLockWriteGuard<'static, ()> {
    LOCK.write()
}

/// Destroys a heap, with all that is left in it, while no thread that has used it takes leave of it.
///
/// # Safety
///
/// As `mi_heap_destroy`: nobody follows a pointer into it any more.
pub(crate) unsafe fn destroy(heap: *mut mimalloc::mi_heap_t) {
    let _alone: RwLockWriteGuard<'_, ()> = LOCK.write();
    // SAFETY: our caller's promise, handed on.
    unsafe { mimalloc::mi_heap_destroy(heap) };
}

fn make_key() -> Option<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: `key` can be written, and the destructor is code of the host, which stays.
    (unsafe { libc::pthread_key_create(&mut key, Some(on_thread_exit)) } == 0).then_some(key)
}

/// A thread ends that was watched.
unsafe extern "C" fn on_thread_exit(value: *mut c_void) {
    let _alone = LOCK.write();
    // SAFETY: it is the value that mimalloc had for this thread, and its own destructor will not see it.
    unsafe { _mi_thread_done(value) };
}
