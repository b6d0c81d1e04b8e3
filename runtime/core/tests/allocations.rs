//! No allocation on the warm path, counted. A binary of its own, for the allocator is the whole process's.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test says what it means by failing")]
#![allow(dead_code, reason = "each test binary uses its own part of `support`")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use support::{Log, Seen, Tracked, both_fences, empty_cell};

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(place, layout) }
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
        let before = ALLOCATIONS.get();
        drop(cell.enter());
        assert_ne!(ALLOCATIONS.get(), before, "the first entry does, or the count is broken");
        cell.reserve(Tracked::new(2, &log)).unwrap().publish();
        let projection = cell.projection(Seen);
        let before = ALLOCATIONS.get();
        for _ in 0..1_000 {
            cell.enter().unwrap().call();
            cell.enter_owned().unwrap().call();
            projection.enter().unwrap().get().of.call();
        }
        assert_eq!(ALLOCATIONS.get(), before);
    }
}
