//! Records that the calling thread waits, and ends the thread if the host has decided so in the meantime.

use std::{ptr, sync::atomic::Ordering::SeqCst};

use crate::{
    idle::{
        abandon::abandon_call,
        futex::{futex_wait, futex_wake},
        held_mutexes,
        state::{AfterWait, Barrier, HELD},
        thread::{Thread, current, threads},
    },
    sys::syscall::{errno, set_errno},
};

/// The barrier at which all threads that end meet.
pub(super) static BARRIER: Barrier = Barrier::new();

/// A thread that waits. It resumes when this is dropped, also if libc unwinds the stack because the thread
/// was cancelled. In that case, the thread's cleanup handlers run.
struct WaitGuard(&'static Thread);

/// Runs `call`, which may wait. `call` must not use anything of this image on which another thread relies.
///
/// Does not return if the thread must end.
pub(crate) fn wait<R>(call: impl FnOnce() -> R) -> R {
    let Some(thread) = current() else { return call() };
    thread.wait_count.fetch_add(1, SeqCst);
    if !thread.state.begin_wait() {
        // The thread already waits: this is a signal handler that waits too.
        return call();
    }
    let guard = WaitGuard(thread);
    let result = call();
    let error = errno();
    drop(guard);
    set_errno(error);
    result
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        resume(self.0);
    }
}

/// Ends the wait of the calling thread. Does not return if the thread must end.
fn resume(thread: &Thread) {
    loop {
        match thread.state.end_wait() {
            AfterWait::Resume => return,
            AfterWait::StayHeld => futex_wait(thread.state.word(), HELD),
            AfterWait::End => end(thread),
        }
    }
}

/// Ends the calling thread together with all others: it abandons its functions.
fn end(thread: &Thread) -> ! {
    let mutex = thread.mutex.load(SeqCst);
    if mutex != 0 {
        // SAFETY: libc has locked it for this thread again, when it woke the thread from the condition.
        unsafe { libc::pthread_mutex_unlock(ptr::with_exposed_provenance_mut(mutex)) };
    }
    let threads = threads();
    for mutex in threads.iter().map(|other| other.mutex.load(SeqCst)).filter(|mutex| *mutex != 0) {
        // SAFETY: it is on the heap, or on a stack that no thread abandons before this thread has arrived at
        // the barrier.
        unsafe { held_mutexes::unlock_if_held(ptr::with_exposed_provenance_mut(mutex), thread.tid) };
    }
    // Cleared with the list locked, because the threads that use them hold that lock.
    thread.record_condition(ptr::null_mut(), ptr::null_mut());
    drop(threads);
    if BARRIER.arrive() {
        futex_wake(BARRIER.word());
    }
    loop {
        match BARRIER.missing() {
            0 => break,
            missing => futex_wait(BARRIER.word(), missing),
        }
    }
    // SAFETY: the call that `run` made is in progress. All other threads of this image end too, and have
    // returned from the calls in which they waited, so nothing uses the variables of the abandoned functions.
    unsafe { abandon_call(thread.stack_pointer.load(SeqCst)) }
}
