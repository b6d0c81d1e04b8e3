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
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use libc::{pthread_attr_t, pthread_key_t, pthread_t};
use segue_abi::{Audit, ThreadStart};

use crate::{
    cpp,
    exit_handlers::STATUS,
    host,
    idle::{self, Exit, Start},
    own_libc::found,
    timers,
};

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

/// Threads that were started when there was no host yet. Only counted: Relaxed is enough.
static UNKNOWN_THREADS: AtomicU32 = AtomicU32::new(0);

static KEYS: Mutex<Vec<Key>> = Mutex::new(Vec::new());

unsafe extern "C" {
    /// Runs the exit handlers that were registered with this handle, the latest first. Of libc.
    fn __cxa_finalize(image: *mut c_void);
    /// What exit handlers of this image are registered with. Hidden, and in every file that a C compiler links.
    static __dso_handle: u8;
}

/// What a new thread is to do.
struct Routine {
    start: Start,
    argument: *mut c_void,
    exit: Arc<Exit>,
}

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
    let create = found!(c"pthread_key_create" as fn(*mut pthread_key_t, Option<Destructor>) -> c_int);
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

/// Stands in for `pthread_create`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn thread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let exit = Arc::<Exit>::default();
    let routine = Box::into_raw(Box::new(Routine { start, argument, exit: exit.clone() })).cast();
    let (count, error) = match host::attached() {
        Some(host) => {
            idle::BEGUN.fetch_add(1, Ordering::SeqCst);
            let start = ThreadStart(run_known);
            // SAFETY: the host is valid while code of this image runs; the rest is our caller's promise, handed on;
            // `run_known` takes the box. On Linux a pthread_t is an integer of the size of usize.
            let error = unsafe {
                host.vtable.spawn()(host.context, thread.cast(), attributes.cast(), start, routine)
            };
            if error == 0 {
                // SAFETY: it was written just now, and the attributes are our caller's promise.
                unsafe { idle::note_joinable(thread.read(), attributes, exit) };
            }
            (&idle::BEGUN, error)
        }
        None => {
            UNKNOWN_THREADS.fetch_add(1, Ordering::Relaxed);
            let create = found!(
                c"pthread_create" as fn(*mut pthread_t, *const pthread_attr_t, Start, *mut c_void) -> c_int
            );
            // SAFETY: our caller's promise, handed on; `run_unknown` takes the box.
            (&UNKNOWN_THREADS, unsafe { create(thread, attributes, run_unknown, routine) })
        }
    };
    if error != 0 {
        count.fetch_sub(1, Ordering::SeqCst);
        // SAFETY: no thread was made that could take the box.
        unsafe { take(routine) };
    }
    error
}

/// Stands in for `exit`.
///
/// # Safety
///
/// As there.
pub unsafe extern "C" fn exit(status: c_int) -> ! {
    if let Some(host) = host::attached() {
        // SAFETY: the host is valid while code of this image runs.
        unsafe { host.vtable.exiting()(host.context, status) };
    }
    STATUS.store(status, Ordering::Relaxed);
    let exit = found!(c"exit" as fn(c_int) -> !);
    // SAFETY: our caller's promise, handed on.
    unsafe { exit(status) }
}

/// What a new thread is to call, out of the box in which it was handed over.
///
/// # Safety
///
/// `thread_create` made the box, and nobody has taken it.
unsafe fn take(routine: *mut c_void) -> Routine {
    // SAFETY: our caller's promise.
    *unsafe { Box::from_raw(routine.cast()) }
}

/// The bottom, in this image, of a thread that the host knows.
unsafe extern "C" fn run_known(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `thread_create` made the box for this one thread.
    let Routine { start, argument, exit } = unsafe { take(routine) };
    // SAFETY: that is what the caller of pthread_create asked for.
    unsafe { idle::run(start, argument, &exit) }
}

/// The bottom of a thread that no host knows. The image can never be unmapped after one has run, since it ends in here.
unsafe extern "C" fn run_unknown(routine: *mut c_void) -> *mut c_void {
    // SAFETY: `thread_create` made the box for this one thread.
    let Routine { start, argument, .. } = unsafe { take(routine) };
    // SAFETY: that is what the caller of pthread_create asked for.
    let result = unsafe { idle::run_unknown(start, argument) };
    detach_thread();
    result
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

pub(crate) extern "C" fn audit() -> Audit {
    let keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    Audit {
        destructors: REGISTERED.load(Ordering::Relaxed),
        keys: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        unknown_threads: UNKNOWN_THREADS.load(Ordering::Relaxed),
    }
}

/// Runs the exit handlers of the image, gives the keys back, and says what is left.
///
/// # Safety
///
/// No thread may run code of this image afterwards, but for this call's return.
pub(crate) unsafe extern "C" fn release() -> Audit {
    // What `atexit` registered in here, and the destructors of C++ statics. dlclose would run them too, but then what they
    // leave on this thread could not be destroyed any more. libc forgets those that it has run.
    // SAFETY: it is this image's own handle, and the handlers expect to run when the image is about to go.
    unsafe { __cxa_finalize((&raw const __dso_handle).cast_mut().cast()) };
    // One that an exit handler began.
    timers::end_all();
    detach_thread();
    cpp::free();
    idle::forget_unjoined();
    let left = audit();
    let keys = mem::take(&mut *KEYS.lock().unwrap_or_else(PoisonError::into_inner));
    for ours in &keys {
        // SAFETY: it is a key of this image, not deleted before (`key_delete` forgets those), and nobody will use it.
        unsafe { libc_key_delete(ours.key) };
    }
    left
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
    let delete = found!(c"pthread_key_delete" as fn(pthread_key_t) -> c_int);
    // SAFETY: our caller's promise, handed on.
    unsafe { delete(key) }
}

#[cfg(test)]
mod tests;
