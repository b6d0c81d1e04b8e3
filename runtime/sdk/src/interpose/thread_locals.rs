//! Stands in for five functions of libc, so that what a thread leaves behind in this image is known, and who has ended the process.
//!
//! `std` inside a module asks libc to run the destructors of thread-locals when a thread ends, and keeps a pthread key.
//! Left alone, glibc then either never unmaps the image (`__cxa_thread_atexit_impl` counts the registrations of each
//! image), or jumps into memory that is gone when a thread ends (a key's destructor), and the process runs out of keys
//! after about a thousand loads. So [`export_module!`](crate::export_module) defines hidden symbols with the names of
//! those functions, to which `std` and any C code in the module bind, and which lead here:
//!
//! * [`thread_atexit`] puts the destructor on a list of its own thread. The list is a thread-local without `Drop`: it goes
//!   with the image's thread-local block, and a thread that is created later never finds the list of one that ended.
//! * [`key_create`] and [`key_delete`] keep the image's keys. libc gets no destructor to call.
//! * [`thread_create`] lets the host start the thread. The host's trampoline is at the bottom of its stack, and calls
//!   [`detach_thread`] when the start routine has returned.
//! * [`exit`] tells the host before it ends the process.
//!
//! [`detach_thread`] runs the calling thread's list and its keys' destructors: in a thread of the module at its end, in
//! a thread of the host when the image is purged or the thread ends, whichever is first.
//!
//! The recipe, and what happens without it, was measured: 3,000 versions on four threads that live on, each with thread-
//! locals, threads, panics and the like, leave nothing mapped, with every destructor run.

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

/// A destructor, as libc and a pthread key take one.
type Destructor = unsafe extern "C" fn(*mut c_void);

/// One destructor of one thread, and the one that was registered before it.
struct Registration {
    destructor: Destructor,
    object: *mut c_void,
    earlier: *mut Registration,
}

/// One pthread key of this image.
struct Key {
    key: pthread_key_t,
    destructor: Option<Destructor>,
}

thread_local! {
    /// The calling thread's registrations, the latest first. It has no destructor itself, so using it registers nothing.
    static LATEST: Cell<*mut Registration> = const { Cell::new(ptr::null_mut()) };
}

/// Registrations of all threads that have not run. Only counted: Relaxed is enough.
static REGISTERED: AtomicU64 = AtomicU64::new(0);

static KEYS: Mutex<Vec<Key>> = Mutex::new(Vec::new());

/// How often destructors may make new things to destroy, as POSIX has it (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS_MAX: usize = 4;

// === What the hidden symbols lead to ===

/// Stands in for `__cxa_thread_atexit_impl`, and for `__cxa_thread_atexit`, which C++ calls instead. The latter is in
/// libstdc++, where it would lead past this image to libc.
///
/// # Safety
///
/// As there: `destructor` can be called with `object`, on this thread, when it ends.
pub unsafe extern "C" fn thread_atexit(
    destructor: Destructor,
    object: *mut c_void,
    _image: *mut c_void,
) -> c_int {
    let registration = Registration { destructor, object, earlier: LATEST.get() };
    LATEST.set(Box::into_raw(Box::new(registration)));
    REGISTERED.fetch_add(1, Ordering::Relaxed);
    0
}

/// Stands in for `pthread_key_create`.
///
/// # Safety
///
/// As there: `key` can be written, and `destructor` called with a value of the key when a thread ends.
pub unsafe extern "C" fn key_create(key: *mut pthread_key_t, destructor: Option<Destructor>) -> c_int {
    let create = libc_fn!(c"pthread_key_create" as fn(*mut pthread_key_t, Option<Destructor>) -> c_int);
    // The lock is held across the call, so that `release` sees every key that exists.
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: our caller promised `key`. libc gets no destructor: `detach_thread` calls it.
    let error = unsafe { create(key, None) };
    if error == 0 {
        // SAFETY: pthread_key_create has just written it.
        keys.push(Key { key: unsafe { key.read() }, destructor });
    }
    error
}

/// Stands in for `pthread_key_delete`: a key that the module deletes itself may be somebody else's a moment later.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn key_delete(key: pthread_key_t) -> c_int {
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.retain(|ours| ours.key != key);
    // SAFETY: our caller's promise, handed on.
    unsafe { libc_key_delete(key) }
}

// === What the host asks ===

/// Runs what the calling thread has left to destroy in this image, and says how many destructors ran.
pub(crate) extern "C" fn detach_thread() -> u64 {
    if !idle::may_destroy() {
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

/// Destructors registered by all threads that have not run.
pub(crate) fn registered() -> u64 {
    REGISTERED.load(Ordering::Relaxed)
}

/// The keys of this image that exist.
pub(crate) fn key_count() -> usize {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Gives all keys of this image back to libc.
///
/// # Safety
///
/// Nobody may use a key of this image afterwards.
pub(crate) unsafe fn delete_keys() {
    let keys = mem::take(&mut *KEYS.lock().unwrap_or_else(PoisonError::into_inner));
    for ours in &keys {
        // SAFETY: it is a key of this image, not deleted before (`key_delete` forgets those), and our caller promises that
        // nobody will use it.
        unsafe { libc_key_delete(ours.key) };
    }
}

// === impl ===

fn run_registrations() -> u64 {
    let mut ran = 0;
    loop {
        let latest = LATEST.get();
        if latest.is_null() {
            return ran;
        }
        // SAFETY: the list holds boxes that `thread_atexit` made on this thread, each taken off it once: here.
        let registration = unsafe { Box::from_raw(latest) };
        // Off the list before it runs: a destructor may register another.
        LATEST.set(registration.earlier);
        REGISTERED.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: whoever registered it promised that it can be called so on this thread, when it has ended its work.
        unsafe { (registration.destructor)(registration.object) };
        ran += 1;
    }
}

fn run_key_destructors() -> u64 {
    // Taken out first: a destructor may make or delete a key.
    let ours: Vec<(pthread_key_t, Destructor)> = KEYS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter_map(|key| Some((key.key, key.destructor?)))
        .collect();
    let mut ran = 0;
    for (key, destructor) in ours {
        // SAFETY: reading the calling thread's value of any key is allowed, and of a deleted one it is null.
        let value = unsafe { libc::pthread_getspecific(key) };
        if !value.is_null() {
            // SAFETY: as libc does it: the value is taken away, then the destructor gets it.
            unsafe {
                libc::pthread_setspecific(key, ptr::null());
                destructor(value);
            }
            ran += 1;
        }
    }
    ran
}

unsafe fn libc_key_delete(key: pthread_key_t) -> c_int {
    let delete = libc_fn!(c"pthread_key_delete" as fn(pthread_key_t) -> c_int);
    // SAFETY: our caller's promise, handed on.
    unsafe { delete(key) }
}

#[cfg(test)]
mod tests;
