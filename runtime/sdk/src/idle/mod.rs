//! Ends the threads of this image that wait for ever: those of a global pool, say, which nobody can ask to
//! end.
//!
//! When the module's value has gone and a while has passed, threads may be left that wait for work that will
//! never come. While they wait, their code must stay. So what waits in this image (a lock, a condition, a
//! sleep, a socket) goes through [`wait`], which notes it. The host asks [`end_idle_threads`]; if **every**
//! thread of the image waits, each leaves its functions at once ([`escape`]) and ends. Their variables are
//! not dropped.
//!
//! All must wait at the same time, because a thread that runs may use variables of one that waits
//! (`std::thread::scope`). So the threads are held first, one after the other: one that stops waiting
//! meanwhile stays where it is. If one is found that runs, all are let go and have noticed nothing.
//!
//! None leaves its functions before all have come out of what they wait in ([`Barrier`]): libc may use a
//! condition until then that lies on the stack of another thread. If one does not come out, all stay, and the
//! image with them.

mod cancel;
mod conditions;
mod escape;
mod joins;
mod locks;
mod masks;
mod semaphores;
mod signal_waits;
mod state;
mod waits;

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use crate::sys::syscall::{errno, set_errno, syscall};
use state::{Barrier, HELD, Next, State, end_if_all_wait};

pub(crate) use cancel::wait_cancellable;
pub(crate) use joins::{ExitFlag, detach_unjoined, record_joinable};
pub(crate) use masks::set_wake_signal;

/// What hidden symbols lead to.
pub(crate) mod replacements {
    pub use super::{
        cancel::{pthread_cancel, pthread_exit, thrd_exit},
        conditions::*,
        joins::{pthread_detach, pthread_join, thrd_join},
        masks::{pthread_sigmask, sigprocmask},
        semaphores::*,
        signal_waits::*,
        waits::*,
    };
}

/// The start routine of a thread.
pub(crate) type StartRoutine = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// A thread that this image has started.
struct Thread {
    state: State,
    tid: libc::pid_t,
    /// As libc knows it.
    identity: libc::pthread_t,
    /// How often it has waited.
    waits: AtomicU32,
    /// What [`escape::escape`] needs. Only the thread itself reads it.
    place: AtomicUsize,
    /// The condition of libc that it waits for; 0 if it waits for none. Written by the thread before it
    /// waits.
    condition: AtomicUsize,
    /// The mutex that comes with the condition; 0 as above. It is there while it is noted here.
    lock: AtomicUsize,
}

thread_local! {
    /// The calling thread, if this image started it. Without a destructor, so it can be used at any time.
    static CURRENT: Cell<*const Thread> = const { Cell::new(ptr::null()) };
    /// Whether the calling thread ended early: then nothing of it may be destroyed.
    static ESCAPED: Cell<bool> = const { Cell::new(false) };
}

static THREADS: Mutex<Vec<Arc<Thread>>> = Mutex::new(Vec::new());

/// Where the threads meet that end.
static BARRIER: Barrier = Barrier::new();

/// Threads of this image that the host knows, from before they exist until [`run`] is done with them.
pub(crate) static KNOWN_THREADS: AtomicU32 = AtomicU32::new(0);

/// How many threads have ended early.
static ENDED: AtomicU32 = AtomicU32::new(0);

/// Runs a thread of this image: `start`, until that returns or the thread ends otherwise. `exit` is told
/// then.
///
/// # Safety
///
/// `start` can be called with `argument`, once.
pub(crate) unsafe fn run(start: StartRoutine, argument: *mut c_void, exit: &ExitFlag) -> *mut c_void {
    // SAFETY: both only ask for a number.
    let (tid, identity) = unsafe { (libc::gettid(), libc::pthread_self()) };
    let thread = Arc::new(Thread {
        state: State::new(),
        tid,
        identity,
        waits: AtomicU32::new(0),
        place: AtomicUsize::new(0),
        condition: AtomicUsize::new(0),
        lock: AtomicUsize::new(0),
    });
    threads().push(thread.clone());
    CURRENT.set(Arc::as_ptr(&thread));
    masks::unblock();
    // SAFETY: our caller's promise, and the place can be written.
    let result = unsafe { escape::call_to_the_end(start, argument, thread.place.as_ptr()) };
    CURRENT.set(ptr::null());
    let result = cancel::end().unwrap_or(result);
    if thread.state.is_ending() {
        ESCAPED.set(true);
        ENDED.fetch_add(1, SeqCst);
    }
    if ESCAPED.get() {
        joins::note_unjoined();
    }
    let mut all = threads();
    all.retain(|other| !Arc::ptr_eq(other, &thread));
    KNOWN_THREADS.fetch_sub(1, SeqCst);
    drop(all);
    exit.note();
    result
}

/// Ends the calling thread where it is, if this image started it; returns if not. What it has registered is
/// destroyed first. The functions that it is in are left as they are: their variables are not dropped.
///
/// # Safety
///
/// No other thread may use what is on this thread's stack.
#[cfg(feature = "rayon")]
pub(crate) unsafe fn end_this_thread(detach: extern "C" fn() -> u64) {
    let Some(thread) = current() else { return };
    // While the functions that it is in still have their variables: a destructor may call them.
    detach();
    ESCAPED.set(true);
    // SAFETY: `run` has the call under way, as it has set CURRENT. Our caller promised that nobody else looks
    // at the variables of the functions that are left.
    unsafe { escape::escape(thread.place.load(SeqCst)) }
}

/// Runs a thread that no host knows: `start`, until that returns or the thread ends itself.
///
/// # Safety
///
/// As above.
pub(crate) unsafe fn run_unknown(start: StartRoutine, argument: *mut c_void) -> *mut c_void {
    // SAFETY: our caller's promise, and the place can be written.
    let result = unsafe { escape::call_to_the_end(start, argument, &mut 0) };
    cancel::end().unwrap_or(result)
}

/// Whether what the calling thread has registered may be destroyed. Not if it ended early: a lock that it
/// held is held still.
pub(crate) fn may_run_destructors() -> bool {
    !ESCAPED.get()
}

/// Whether a thread of this image has ended early.
pub(crate) fn any_ended_early() -> bool {
    ENDED.load(SeqCst) > 0
}

/// Ends all threads of this image, if there are `expected` and all of them wait; how many are about to end,
/// or 0. `signal` wakes a thread from a system call, and does nothing else. To be called again while threads
/// are left: one may have been just about to wait.
pub(crate) unsafe extern "C" fn end_idle_threads(expected: u32, signal: c_int) -> u32 {
    let threads = threads();
    if !threads.iter().any(|thread| thread.state.is_ending()) {
        // Asked while all are held: none of them can begin another one then. The host's number also has those
        // that have left `run` and destroy their thread-locals.
        let is_all =
            || threads.len() == expected as usize && threads.len() == KNOWN_THREADS.load(SeqCst) as usize;
        let states = threads.iter().map(|thread| &thread.state);
        if !end_if_all_wait(states, &BARRIER, is_all, |state| wake(state.word())) {
            return 0;
        }
    }
    for thread in threads.iter() {
        // It is there: a thread takes itself off the list, under this lock, before it ends.
        syscall!(SYS_tgkill, std::process::id(), thread.tid, signal);
        thread.wake_from_condition();
    }
    threads.len() as u32
}

/// Waits: `call` may take long, and touches nothing of this image that another thread relies on.
pub(crate) fn wait<R>(call: impl FnOnce() -> R) -> R {
    let Some(thread) = current() else { return call() };
    thread.waits.fetch_add(1, SeqCst);
    if !thread.state.begin_wait() {
        // A signal handler that waits, while the thread waits.
        return call();
    }
    let waiting = Waiting(thread);
    let result = call();
    let error = errno();
    drop(waiting);
    set_errno(error);
    result
}

/// A thread that waits. It goes on when this is dropped, also if libc unwinds the stack because the thread
/// was cancelled: then its cleanup handlers run.
struct Waiting(&'static Thread);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.go_on();
    }
}

/// The calling thread, if this image started it.
fn current() -> Option<&'static Thread> {
    // SAFETY: it is null, or the calling thread's, which keeps it until `run` has set it to null; nobody uses
    // it longer.
    unsafe { CURRENT.get().as_ref() }
}

/// Has all threads look again that wait for a change of this word.
fn wake(word: *mut u32) {
    syscall!(SYS_futex, word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX);
}

/// Waits until somebody changes this word, or for a shorter time. Past libc, and not noted.
fn sleep_while(word: *mut u32, is: u32) {
    let how = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    syscall!(SYS_futex, word, how, is, ptr::null::<libc::timespec>());
}

fn threads() -> MutexGuard<'static, Vec<Arc<Thread>>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Thread ===

impl Thread {
    fn note_condition(&self, condition: *mut libc::pthread_cond_t, lock: *mut libc::pthread_mutex_t) {
        self.lock.store(lock.expose_provenance(), SeqCst);
        self.condition.store(condition.expose_provenance(), SeqCst);
    }

    /// Wakes it, and all others, from what it waits for. Only if it is to end: then the condition stays until
    /// it has.
    fn wake_from_condition(&self) {
        let condition = self.condition.load(SeqCst);
        if condition != 0 {
            // SAFETY: the thread waits for it, so it is there.
            unsafe { libc::pthread_cond_broadcast(ptr::with_exposed_provenance_mut(condition)) };
        }
    }

    /// The calling thread waits no more. Does not return if it is to end.
    fn go_on(&self) {
        loop {
            match self.state.end_wait() {
                Next::GoOn => return,
                Next::AskAgain => sleep_while(self.state.word(), HELD),
                Next::End => self.end(),
            }
        }
    }

    /// The calling thread ends, with all others, and leaves its functions.
    fn end(&self) -> ! {
        let lock = self.lock.load(SeqCst);
        if lock != 0 {
            // SAFETY: libc has given it to this thread again, with the condition.
            unsafe { libc::pthread_mutex_unlock(ptr::with_exposed_provenance_mut(lock)) };
        }
        let threads = threads();
        for noted in threads.iter().map(|thread| thread.lock.load(SeqCst)).filter(|noted| *noted != 0) {
            // SAFETY: it is on the heap, or on a stack that nobody leaves before this thread has arrived.
            unsafe { locks::give_back(ptr::with_exposed_provenance_mut(noted), self.tid) };
        }
        // Whoever uses them has the lock of the list.
        self.note_condition(ptr::null_mut(), ptr::null_mut());
        drop(threads);
        if BARRIER.arrive() {
            wake(BARRIER.word());
        }
        loop {
            match BARRIER.missing() {
                0 => break,
                missing => sleep_while(BARRIER.word(), missing),
            }
        }
        // SAFETY: `run` has the call under way. All other threads of this image end as well, and have come
        // out of what they waited in, so nothing looks at the variables of the functions that are left.
        unsafe { escape::escape(self.place.load(SeqCst)) }
    }
}

#[cfg(test)]
mod tests;
