//! Ending threads that wait for a condition of libc.

use libc::{PTHREAD_COND_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, pthread_cond_t, pthread_mutex_t};

use super::*;

/// A condition and its mutex.
struct Pair {
    condition: pthread_cond_t,
    mutex: pthread_mutex_t,
}

/// The address of a pair that a thread has made, and whether another thread has locked its mutex.
#[derive(Default)]
struct Shared {
    pair: AtomicUsize,
    is_locked: AtomicBool,
}

impl Shared {
    /// The pair. It exists until a thread abandons its functions.
    fn pair(&self) -> *mut Pair {
        wait_until("a thread has made the pair", || self.pair.load(SeqCst) != 0);
        ptr::with_exposed_provenance_mut(self.pair.load(SeqCst))
    }

    /// Locks the mutex after another thread has started to wait for the condition.
    fn lock_waited_for(&self) -> *mut pthread_mutex_t {
        let pair = self.pair();
        wait_until("a thread has locked the mutex", || self.is_locked.load(SeqCst));
        // SAFETY: the pair exists. The thread that locked the mutex has released it by waiting.
        unsafe {
            let mutex = &raw mut (*pair).mutex;
            libc::pthread_mutex_lock(mutex);
            mutex
        }
    }
}

unsafe fn shared(argument: *mut c_void) -> &'static Shared {
    // SAFETY: `start` passes such a pointer.
    unsafe { &*argument.cast() }
}

/// Makes a pair on its stack.
unsafe extern "C" fn make_pair(argument: *mut c_void) -> *mut c_void {
    let mut pair = Pair { condition: PTHREAD_COND_INITIALIZER, mutex: PTHREAD_MUTEX_INITIALIZER };
    // SAFETY: our caller's promise.
    unsafe { shared(argument) }.pair.store((&raw mut pair).expose_provenance(), SeqCst);
    replacements::sleep(60);
    ptr::null_mut()
}

unsafe extern "C" fn wait_for_condition(argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise, and the pair exists.
    unsafe {
        let shared = shared(argument);
        let pair = shared.pair();
        libc::pthread_mutex_lock(&raw mut (*pair).mutex);
        shared.is_locked.store(true, SeqCst);
        replacements::pthread_cond_wait(&raw mut (*pair).condition, &raw mut (*pair).mutex);
    }
    ptr::null_mut()
}

/// Sleeps with the mutex locked.
unsafe extern "C" fn hold(argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise.
    unsafe { shared(argument) }.lock_waited_for();
    replacements::sleep(60);
    ptr::null_mut()
}

/// Sleeps with the mutex locked twice.
unsafe extern "C" fn hold_twice(argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise, and this thread holds the mutex, which is recursive.
    unsafe { libc::pthread_mutex_lock(shared(argument).lock_waited_for()) };
    replacements::sleep(60);
    ptr::null_mut()
}

/// A pair that is never freed, with a mutex of this kind.
fn shared_pair(kind: c_int) -> &'static Shared {
    let pair =
        Box::leak(Box::new(Pair { condition: PTHREAD_COND_INITIALIZER, mutex: PTHREAD_MUTEX_INITIALIZER }));
    // SAFETY: the attributes are initialized first, and the mutex is not in use.
    unsafe {
        let mut attributes: libc::pthread_mutexattr_t = mem::zeroed();
        libc::pthread_mutexattr_init(&mut attributes);
        libc::pthread_mutexattr_settype(&mut attributes, kind);
        libc::pthread_mutex_init(&mut pair.mutex, &attributes);
    }
    let pair = AtomicUsize::new(ptr::from_mut(pair).expose_provenance());
    Box::leak(Box::new(Shared { pair, ..Shared::default() }))
}

#[test]
fn a_condition_on_a_stack_exists_until_libc_has_finished_with_it() {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = Box::leak(Box::<Shared>::default());
    start(make_pair, shared);
    start(wait_for_condition, shared);
    let mutex = shared.lock_waited_for();
    wait_until("all threads wait", || end(2) == 2);
    std::thread::sleep(Duration::from_millis(50));
    let left = threads().len();
    assert_eq!(left, 2, "the thread without its mutex is still in libc");
    // SAFETY: the mutex exists, and this thread holds it.
    unsafe { libc::pthread_mutex_unlock(mutex) };
    wait_until("all threads have ended", || threads().is_empty());
}

#[test]
fn an_ending_thread_unlocks_mutexes_for_which_others_wait() {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared_pair(libc::PTHREAD_MUTEX_NORMAL);
    start(wait_for_condition, shared);
    start(hold, shared);
    end_all(2);
    let twice = shared_pair(libc::PTHREAD_MUTEX_RECURSIVE);
    start(wait_for_condition, twice);
    start(hold_twice, twice);
    end_all(2);
    // SAFETY: the mutexes exist, and no thread uses them.
    unsafe {
        assert_eq!(
            libc::pthread_mutex_trylock(&raw mut (*shared.pair()).mutex),
            0,
            "no thread holds the mutex"
        );
        assert_eq!(libc::pthread_mutex_trylock(&raw mut (*twice.pair()).mutex), 0);
    }
}
