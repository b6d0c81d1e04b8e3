//! Keeps the lock of signal actions usable in the child after a fork.
//!
//! A child may call `sigaction`, which POSIX lists as async-signal-safe, and it has only the thread that
//! forked. If another thread held the lock at that moment, no thread would ever release it in the child. So
//! the forking thread takes the lock before the fork, and both processes release it afterwards.

use std::{cell::UnsafeCell, sync::Once};

use crate::signals::lock::{ActionsGuard, actions};

/// The guard of the thread that forks, from just before the fork until just after it.
struct ForkGuard(UnsafeCell<Option<ActionsGuard>>);

// SAFETY: only the thread that holds the lock of signal actions reads or writes it: `before` stores the guard
// after it has taken the lock, and `after` takes the guard out on the same thread, before it releases the
// lock.
unsafe impl Sync for ForkGuard {}

static GUARD: ForkGuard = ForkGuard(UnsafeCell::new(None));

/// Registers the fork handlers, once in a process. Call it before code of a module runs.
pub(crate) fn register_fork_handlers() {
    static IS_REGISTERED: Once = Once::new();
    IS_REGISTERED.call_once(|| {
        // SAFETY: the runtime is never unmapped, so the functions stay. The call fails only if memory runs
        // out; then the child of a fork must not call `sigaction`.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
    });
}

extern "C" fn before() {
    let guard = actions();
    // SAFETY: this thread holds the lock.
    unsafe { *GUARD.0.get() = Some(guard) };
}

extern "C" fn after() {
    // SAFETY: this thread took the lock in `before` and still holds it. In the child it is the only thread.
    drop(unsafe { (*GUARD.0.get()).take() });
}
