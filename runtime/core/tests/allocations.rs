//! The warm path does not allocate. This test has its own binary, because it replaces the allocator of the
//! process.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(dead_code, reason = "each test binary uses a part of `support`")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use support::{Log, Partial, Tracked, both_fences, empty_cell};

struct Counting;

std::thread_local! {
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every request goes unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        REQUESTS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(address, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_call_allocates_nothing() {
    for fences in both_fences() {
        let log = Arc::new(Log::default());
        let cell = empty_cell(fences);
        cell.reserve(Tracked::new(1, &log)).unwrap().publish();
        let before = REQUESTS.get();
        drop(cell.enter());
        assert_ne!(REQUESTS.get(), before, "the first entry allocates, so the count must change");
        cell.reserve(Tracked::new(2, &log)).unwrap().publish();
        let projection = cell.projection(Partial);
        let before = REQUESTS.get();
        for _ in 0..1_000 {
            cell.enter().unwrap().call();
            cell.enter_owned().unwrap().call();
            projection.enter().unwrap().get().occupant.call();
        }
        assert_eq!(REQUESTS.get(), before);
    }
}
