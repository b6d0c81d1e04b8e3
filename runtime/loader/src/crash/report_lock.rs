//! Who writes a report: one thread at a time, and what it needs for that.
//!
//! The handler may run on an alternate stack, which `std` makes 8 KiB large, and nearly half of that may be the system's. So what is
//! large lies in a static, and threads take turns to use it.

use std::{
    cell::UnsafeCell,
    ptr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use crate::crash::{
    entry::{Entry, WORDS},
    line::Line,
};

/// How much of a stack is read at a time, in words.
pub(super) const STACK_WORDS: usize = 64;

/// How long is waited for other threads, in milliseconds. A disk that hangs must not keep a process that is to die.
const WAIT_MAX_MS: u32 = 1000;

/// How many threads are in a report, or wait for their turn. SeqCst, as the descriptors of the files are: either a writer sees
/// that a file was taken off the list, or who took it off sees the writer.
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
    /// Acquire by who takes it, Release by who gives it back: each sees what the one before has written.
    is_taken: AtomicBool,
    workspace: UnsafeCell<Workspace>,
}

// SAFETY: the workspace is only reached through a `ReportGuard`, of which there is one at a time.
unsafe impl Sync for LockedWorkspace {}

/// What a report is made in.
pub(super) struct Workspace {
    /// The image that it names.
    pub(super) entry: Entry,
    /// What is written.
    pub(super) line: Line,
    /// A piece of a stack.
    pub(super) stack: [u64; STACK_WORDS],
}

/// It is the calling thread's turn, until this is dropped.
pub(super) struct ReportGuard(());

/// The calling thread is counted, until this is dropped.
struct WriterCount;

/// Has the calling thread write, when it is its turn. Not where that takes too long: no report is worth more than the end. Safe
/// in a signal handler.
pub(super) fn with_report_lock(write: impl FnOnce(&mut ReportGuard)) {
    WRITERS.fetch_add(1, Ordering::SeqCst);
    let _counted = WriterCount;
    if wait_until(|| !WORKSPACE.is_taken.swap(true, Ordering::Acquire)) {
        write(&mut ReportGuard(()));
    }
}

/// Waits until no thread is in a report, or until that takes too long. Safe in a signal handler.
pub(super) fn wait_for_others() {
    wait_until(|| WRITERS.load(Ordering::SeqCst) == 0);
}

/// Whether it was so in time.
fn wait_until(is_so: impl Fn() -> bool) -> bool {
    for _ in 0..WAIT_MAX_MS {
        if is_so() {
            return true;
        }
        // SAFETY: it has no descriptors to look at, and waits for a millisecond.
        unsafe { libc::poll(ptr::null_mut(), 0, 1) };
    }
    false
}

// === impl Turn, Counted ===

impl ReportGuard {
    pub(super) fn workspace(&mut self) -> &mut Workspace {
        // SAFETY: there is one `ReportGuard` at a time, and it is borrowed for as long.
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
    fn threads_take_turns_and_are_waited_for() {
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for _ in 0..50 {
                        with_report_lock(|turn| {
                            let stack = &mut turn.workspace().stack;
                            stack.fill(thread);
                            thread::yield_now();
                            assert!(stack.iter().all(|word| *word == thread), "nobody else wrote");
                        });
                    }
                });
            }
        });
        wait_for_others();
    }
}
