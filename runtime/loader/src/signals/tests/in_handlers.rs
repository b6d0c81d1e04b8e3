//! A module may change and remove handlers in a signal handler.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use libc::{SIG_DFL, SIG_IGN, c_int};

use super::{address, old, set};
use crate::signals::{image_id::ImageId, kernel::kernel_handler, lock, sigaction::remove_handlers};

/// Counts the allocations and frees of each thread. All tests of this crate use it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: it forwards to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

extern "C" fn do_nothing(_: c_int) {}

#[test]
fn changing_and_removing_a_handler_does_not_allocate() {
    let signal = libc::SIGRTMIN() + 7;
    let nothing = address(do_nothing);
    for image in 1..=40 {
        set(image, signal, nothing);
    }
    let before = COUNT.get();
    for image in 1..=40 {
        set(image, signal, address(old));
        set(image, signal, SIG_IGN);
        set(image, signal, nothing);
        set(image, signal, SIG_DFL);
    }
    assert_eq!(COUNT.get(), before);
    assert_eq!(kernel_handler(signal), Some(SIG_DFL));
}

#[test]
fn a_handler_does_not_run_while_its_thread_holds_the_lock() {
    extern "C" fn removes(signal: c_int) {
        let before = COUNT.get();
        set(1, signal, SIG_DFL);
        HAS_RUN.store(1 + (COUNT.get() - before) as usize, SeqCst);
    }
    static HAS_RUN: AtomicUsize = AtomicUsize::new(0);
    let signal = libc::SIGRTMIN() + 8;
    set(1, signal, address(removes));
    let actions = lock::actions();
    // SAFETY: the signal is handled.
    unsafe { libc::raise(signal) };
    assert_eq!(HAS_RUN.load(SeqCst), 0, "the signal is blocked while this thread holds the lock");
    drop(actions);
    assert_eq!(HAS_RUN.load(SeqCst), 1, "it has run, and has not allocated");
    assert!(remove_handlers(ImageId(1)).is_empty());
    assert_eq!(kernel_handler(signal), Some(SIG_DFL));
}
