//! Replaces the functions of libc that register destructors of thread-locals and create pthread keys.
//!
//! `std` inside a module asks libc to run destructors of thread-locals when a thread ends, and it creates a
//! pthread key. Without this file, glibc either never unmaps the image, because `__cxa_thread_atexit_impl`
//! counts the registrations of each image, or it calls the destructor of a key after the image has been
//! unmapped, when a thread ends. The process also runs out of keys after about a thousand loads. So
//! [`export_module!`](crate::export_module) defines hidden symbols with the names of these functions. `std`
//! and any C code in the module bind to them:
//!
//! * [`cxa_thread_atexit`] adds the destructor to a list of the calling thread. The list is a thread-local
//!   without `Drop`. It is part of the image's block of thread-locals and is freed with it, so a new thread
//!   never finds the list of a thread that ended.
//! * [`pthread_key_create`] and [`pthread_key_delete`] keep a list of the image's keys. They give libc no
//!   destructor.
//!
//! [`detach_thread`] then runs the calling thread's list, and the destructors of its keys. A thread of the
//! module runs it at its end. A thread of the host runs it when the image is purged or when the thread ends,
//! whichever comes first.
//!
//! This was measured, with and without: 3,000 versions on four long-lived threads, each version with
//! thread-locals, threads, panics and more, left nothing mapped, and every destructor ran.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    mem, ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use libc::pthread_key_t;

use crate::{idle, sys::libc_fn::libc_fn};

/// A destructor of a thread-local or a pthread key.
type Destructor = unsafe extern "C" fn(*mut c_void);

/// One destructor of one thread, in a list.
struct Registration {
    destructor: Destructor,
    object: *mut c_void,
    previous: *mut Registration,
}

/// One pthread key of this image.
struct Key {
    key: pthread_key_t,
    destructor: Option<Destructor>,
}

thread_local! {
    /// The calling thread's registrations, the latest first. Without a destructor, so its use registers none.
    static LATEST: Cell<*mut Registration> = const { Cell::new(ptr::null_mut()) };
}

/// The number of registrations of all threads that have not run. Only counted, so Relaxed is enough.
static REGISTERED: AtomicU64 = AtomicU64::new(0);

static KEYS: Mutex<Vec<Key>> = Mutex::new(Vec::new());

/// How many times destructors may create new values to destroy. The value of `PTHREAD_DESTRUCTOR_ITERATIONS`
/// in POSIX.
const ROUNDS_MAX: usize = 4;

// === Replacements ===

/// Replaces `__cxa_thread_atexit_impl`, and `__cxa_thread_atexit`, which C++ calls instead. The latter is in
/// libstdc++, where it would call libc past this image.
///
/// # Safety
///
/// As for the function of libc: `destructor` can be called with `object` on this thread when the thread ends.
pub unsafe extern "C" fn cxa_thread_atexit(
    destructor: Destructor,
    object: *mut c_void,
    _image: *mut c_void,
) -> c_int {
    let registration = Registration { destructor, object, previous: LATEST.get() };
    LATEST.set(Box::into_raw(Box::new(registration)));
    REGISTERED.fetch_add(1, Ordering::Relaxed);
    0
}

/// Replaces `pthread_key_create`.
///
/// # Safety
///
/// As for the function of libc: `key` can be written, and `destructor` can be called with a value of the key
/// when a thread ends.
pub unsafe extern "C" fn pthread_key_create(
    key: *mut pthread_key_t,
    destructor: Option<Destructor>,
) -> c_int {
    let create = libc_fn!(c"pthread_key_create" as fn(*mut pthread_key_t, Option<Destructor>) -> c_int);
    // The lock is held during the call, so that `delete_keys` finds every key that exists.
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: our caller promised `key`. libc gets no destructor: `detach_thread` calls it.
    let error = unsafe { create(key, None) };
    if error == 0 {
        // SAFETY: pthread_key_create has just written it.
        keys.push(Key { key: unsafe { key.read() }, destructor });
    }
    error
}

/// Replaces `pthread_key_delete`. The key leaves the list first, because libc may reuse a deleted key at
/// once.
///
/// # Safety
///
/// As for the function of libc.
pub unsafe extern "C" fn pthread_key_delete(key: pthread_key_t) -> c_int {
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.retain(|ours| ours.key != key);
    // SAFETY: our caller's promise, passed on.
    unsafe { delete_key(key) }
}

// === Cleanup ===

/// Runs the destructors that the calling thread has registered in this image. Returns how many ran.
pub(crate) extern "C" fn detach_thread() -> u64 {
    if !idle::may_run_destructors() {
        return 0;
    }
    let mut ran = 0;
    for _ in 0..ROUNDS_MAX {
        let before = ran;
        ran += run_registrations();
        ran += run_key_destructors();
        if ran == before {
            break;
        }
    }
    ran
}

/// The number of registered destructors of all threads that have not run.
pub(crate) fn registered() -> u64 {
    REGISTERED.load(Ordering::Relaxed)
}

/// The number of pthread keys of this image.
pub(crate) fn key_count() -> usize {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Deletes all pthread keys of this image.
///
/// # Safety
///
/// No key of this image may be used afterwards.
pub(crate) unsafe fn delete_keys() {
    let keys = mem::take(&mut *KEYS.lock().unwrap_or_else(PoisonError::into_inner));
    for ours in &keys {
        // SAFETY: it is a key of this image that was not deleted before (`pthread_key_delete` removes those
        // from the list), and our caller promises that it is not used any more.
        unsafe { delete_key(ours.key) };
    }
}

fn run_registrations() -> u64 {
    let mut ran = 0;
    loop {
        let latest = LATEST.get();
        if latest.is_null() {
            return ran;
        }
        // SAFETY: the list holds boxes that `cxa_thread_atexit` made on this thread. Each is removed from it
        // once: here.
        let registration = unsafe { Box::from_raw(latest) };
        // Removed before it runs, because a destructor may register another one.
        LATEST.set(registration.previous);
        REGISTERED.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the code that registered it promised that it can be called with this object, on this
        // thread, when the thread has ended its work.
        unsafe { (registration.destructor)(registration.object) };
        ran += 1;
    }
}

fn run_key_destructors() -> u64 {
    // Copied first, because a destructor may create or delete a key.
    let keys: Vec<(pthread_key_t, Destructor)> = KEYS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter_map(|key| Some((key.key, key.destructor?)))
        .collect();
    let mut ran = 0;
    for (key, destructor) in keys {
        // SAFETY: the calling thread may read its value of any key; for a deleted key, it is null.
        let value = unsafe { libc::pthread_getspecific(key) };
        if !value.is_null() {
            // SAFETY: as libc does it: the value is cleared first, and then passed to the destructor.
            unsafe {
                libc::pthread_setspecific(key, ptr::null());
                destructor(value);
            }
            ran += 1;
        }
    }
    ran
}

unsafe fn delete_key(key: pthread_key_t) -> c_int {
    let delete = libc_fn!(c"pthread_key_delete" as fn(pthread_key_t) -> c_int);
    // SAFETY: our caller's promise, passed on.
    unsafe { delete(key) }
}

#[cfg(test)]
mod tests;
