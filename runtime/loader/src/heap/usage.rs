//! How much memory an image has.

use std::{
    ptr,
    sync::atomic::{AtomicI64, Ordering},
};

use parking_lot::Mutex;

use crate::heap::mappings::Mappings;

/// How much memory an image has. It outlives the image: then it tells what was left at the end.
#[derive(Debug, Default)]
pub struct Usage {
    /// By the number of the thread that writes it. Boxed: threads keep their addresses.
    pub(super) counters: Mutex<Vec<(u64, Box<Counter>)>>,
    /// For threads that end, and have given their number away.
    pub(super) exiting_threads: AtomicI64,
    /// What the image has mapped and not unmapped.
    pub(super) mappings: Mutex<Mappings>,
}

/// What one thread has allocated and not freed. Below zero where it frees what others have allocated.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Counter {
    /// Written by its thread only; read, Relaxed, by whoever sums up: the sum is exact when nothing is being allocated.
    bytes: AtomicI64,
}

// === impl Usage ===

impl Usage {
    /// The bytes that the image has allocated and not freed, or mapped and not unmapped; once it has left memory, those that it
    /// had left.
    pub fn live_bytes(&self) -> u64 {
        let mapped = self.mappings.lock().bytes();
        // Relaxed: see `Counter`.
        let sum: i64 =
            self.counters.lock().iter().map(|(_, counter)| counter.bytes.load(Ordering::Relaxed)).sum();
        u64::try_from(sum + self.exiting_threads.load(Ordering::Relaxed)).unwrap_or(0) + mapped
    }

    /// The counter of this thread. What a counter had before its thread came by, it keeps.
    pub(super) fn counter_of(&self, thread: u64) -> *const Counter {
        let mut counters = self.counters.lock();
        if let Some((_, counter)) = counters.iter().find(|(of, _)| *of == thread) {
            return ptr::from_ref(&**counter);
        }
        let counter = Box::<Counter>::default();
        let address = ptr::from_ref(&*counter);
        counters.push((thread, counter));
        address
    }
}

// === impl Counter ===

impl Counter {
    #[inline(always)]
    pub(super) fn add(&self, bytes: i64) {
        // Relaxed, and no read-modify-write: only this thread writes it.
        self.bytes.store(self.bytes.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
    }
}
