//! The report lock: one thread at a time writes a report, in a static workspace.
//!
//! The handler may run on an alternate stack. `std` makes it 8 KiB large, and the system may use nearly half
//! of it. So large values are in a static, and one thread at a time uses it.

use std::{
    cell::UnsafeCell,
    ptr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use crate::crash::{
    entry::{Entry, WORDS},
    line::Line,
};

/// How many words of a stack are read at a time.
pub(super) const STACK_WORDS: usize = 64;

/// How long to wait for other threads, in milliseconds. A disk that hangs must not keep a dying process
/// alive.
const WAIT_MAX_MS: u32 = 1000;

/// The number of threads that write a report or wait for the lock. SeqCst, like the file descriptors: either
/// a writer sees that a file was removed, or the thread that removed it sees the writer.
static WRITERS: AtomicU32 = AtomicU32::new(0);

static WORKSPACE: LockedWorkspace = LockedWorkspace {
    is_taken: AtomicBool::new(false),
    workspace: UnsafeCell::new(Workspace {
        entry: Entry([0; WORDS]),
        line: Line::new(),
        stack: [0; STACK_WORDS],
    }),
};

struct LockedWorkspace {
    /// Acquire to lock, Release to unlock: each thread sees the writes of the previous one.
    is_taken: AtomicBool,
    workspace: UnsafeCell<Workspace>,
}

// SAFETY: the workspace is accessed only through a `ReportGuard`, and there is one at a time.
unsafe impl Sync for LockedWorkspace {}

/// The memory in which a report is written.
pub(super) struct Workspace {
    /// The image that it names.
    pub(super) entry: Entry,
    /// The line of the report.
    pub(super) line: Line,
    /// A part of a stack.
    pub(super) stack: [u64; STACK_WORDS],
}

/// The calling thread holds the report lock, until this is dropped.
pub(super) struct ReportGuard(());

/// Counts the calling thread as a writer, until this is dropped.
struct WriterCount;

/// Takes the report lock and calls the function. If the lock takes too long, does nothing: the process must
/// be able to die. Async-signal-safe.
pub(super) fn with_report_lock(write: impl FnOnce(&mut ReportGuard)) {
    WRITERS.fetch_add(1, Ordering::SeqCst);
    let _counted = WriterCount;
    if wait_until(|| !WORKSPACE.is_taken.swap(true, Ordering::Acquire)) {
        write(&mut ReportGuard(()));
    }
}

/// Waits, up to the limit, until no thread writes a report. Async-signal-safe.
pub(super) fn wait_for_others() {
    wait_until(|| WRITERS.load(Ordering::SeqCst) == 0);
}

/// Waits until the condition holds. Returns false on timeout.
fn wait_until(condition: impl Fn() -> bool) -> bool {
    for _ in 0..WAIT_MAX_MS {
        if condition() {
            return true;
        }
        // SAFETY: it polls no descriptor, and sleeps for a millisecond.
        unsafe { libc::poll(ptr::null_mut(), 0, 1) };
    }
    false
}

// === impl ReportGuard, WriterCount ===

impl ReportGuard {
    pub(super) fn workspace(&mut self) -> &mut Workspace {
        // SAFETY: there is one `ReportGuard` at a time, and it is borrowed mutably while the workspace is
        // used.
        unsafe { &mut *WORKSPACE.workspace.get() }
    }
}

impl Drop for ReportGuard {
    fn drop(&mut self) {
        WORKSPACE.is_taken.store(false, Ordering::Release);
    }
}

impl Drop for WriterCount {
    fn drop(&mut self) {
        WRITERS.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_thread_at_a_time_holds_the_lock() {
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for _ in 0..50 {
                        with_report_lock(|guard| {
                            let stack = &mut guard.workspace().stack;
                            stack.fill(thread);
                            thread::yield_now();
                            assert!(stack.iter().all(|word| *word == thread), "another thread wrote");
                        });
                    }
                });
            }
        });
        wait_for_others();
    }
}
