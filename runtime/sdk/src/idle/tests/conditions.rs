//! Threads that are ended while they wait for a condition of libc.

use libc::{PTHREAD_COND_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, pthread_cond_t, pthread_mutex_t};

use super::*;

/// A condition and its mutex, both of libc.
struct Pair {
    condition: pthread_cond_t,
    mutex: pthread_mutex_t,
}

/// Where a thread has put a pair, and whether another one has it locked.
#[derive(Default)]
struct Shared {
    pair: AtomicUsize,
    is_locked: AtomicBool,
}

impl Shared {
    /// A pair that is there while nobody has left its functions.
    fn pair(&self) -> *mut Pair {
        wait_until("a thread has made the pair", || self.pair.load(SeqCst) != 0);
        ptr::with_exposed_provenance_mut(self.pair.load(SeqCst))
    }

    /// The pair, locked by the calling thread once another one waits for it.
    fn lock_waited_for(&self) -> *mut pthread_mutex_t {
        let pair = self.pair();
        wait_until("a thread has locked it", || self.is_locked.load(SeqCst));
        // SAFETY: the pair is there. Whoever locked the mutex has given it back to wait.
        unsafe {
            let mutex = &raw mut (*pair).mutex;
            libc::pthread_mutex_lock(mutex);
            mutex
        }
    }
}

unsafe fn shared(argument: *mut c_void) -> &'static Shared {
    // SAFETY: `begin` hands over such a pointer.
    unsafe { &*argument.cast() }
}

/// Has a pair on its stack.
unsafe extern "C" fn makes(argument: *mut c_void) -> *mut c_void {
    let mut pair = Pair { condition: PTHREAD_COND_INITIALIZER, mutex: PTHREAD_MUTEX_INITIALIZER };
    // SAFETY: our caller's promise.
    unsafe { shared(argument) }.pair.store((&raw mut pair).expose_provenance(), SeqCst);
    replacements::sleep(60);
    ptr::null_mut()
}

unsafe extern "C" fn waits(argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise, and the pair is there.
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
unsafe extern "C" fn holds(argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise.
    unsafe { shared(argument) }.lock_waited_for();
    replacements::sleep(60);
    ptr::null_mut()
}

/// As above, of a mutex that may be locked twice, and is.
unsafe extern "C" fn holds_twice(argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise, and the mutex is locked by this thread.
    unsafe { libc::pthread_mutex_lock(shared(argument).lock_waited_for()) };
    replacements::sleep(60);
    ptr::null_mut()
}

/// A pair that stays. Its mutex may be locked more than once, if `kind` says so.
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
fn a_condition_on_a_stack_stays_until_libc_is_done_with_it() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = Box::leak(Box::<Shared>::default());
    begin(makes, shared);
    begin(waits, shared);
    let mutex = shared.lock_waited_for();
    wait_until("they all wait", || end(2) == 2);
    thread::sleep(Duration::from_millis(50));
    let left = threads().len();
    assert_eq!(left, 2, "the one without its mutex is in libc");
    // SAFETY: it is there, and this thread has locked it.
    unsafe { libc::pthread_mutex_unlock(mutex) };
    wait_until("they have ended", || threads().is_empty());
}

#[test]
fn a_thread_that_ends_gives_back_what_another_one_is_to_get() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared_pair(libc::PTHREAD_MUTEX_NORMAL);
    begin(waits, shared);
    begin(holds, shared);
    all_end(2);
    let twice = shared_pair(libc::PTHREAD_MUTEX_RECURSIVE);
    begin(waits, twice);
    begin(holds_twice, twice);
    all_end(2);
    // SAFETY: the mutexes are there, and nobody uses them.
    unsafe {
        assert_eq!(libc::pthread_mutex_trylock(&raw mut (*shared.pair()).mutex), 0, "nobody holds it");
        assert_eq!(libc::pthread_mutex_trylock(&raw mut (*twice.pair()).mutex), 0);
    }
}
