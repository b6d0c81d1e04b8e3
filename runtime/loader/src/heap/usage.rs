//! The memory usage of an image.

use std::{
    ptr,
    sync::atomic::{AtomicI64, Ordering},
};

use parking_lot::Mutex;

use crate::heap::mappings::Mappings;

/// The memory usage of an image. It outlives the image, and then reports what was left.
#[derive(Debug, Default)]
pub struct Usage {
    /// By the number of the thread that writes it. Boxed, because threads keep the addresses.
    pub(super) counters: Mutex<Vec<(u64, Box<Counter>)>>,
    /// For exiting threads, which have released their number.
    pub(super) exiting_threads: AtomicI64,
    /// The memory that the image has mapped and not unmapped.
    pub(super) mappings: Mutex<Mappings>,
}

/// The bytes that one thread has allocated minus those that it has freed. Negative if it frees blocks of
/// other threads.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Counter {
    /// Only its thread writes it. A query reads it with Relaxed, so the sum is exact only while nothing is
    /// allocated.
    bytes: AtomicI64,
}

// === impl Usage ===

impl Usage {
    /// The bytes that the image has allocated and not freed, or mapped and not unmapped. After it was
    /// unmapped, those that it had left.
    pub fn live_bytes(&self) -> u64 {
        let mapped = self.mappings.lock().bytes();
        // Relaxed: see `Counter`.
        let sum: i64 =
            self.counters.lock().iter().map(|(_, counter)| counter.bytes.load(Ordering::Relaxed)).sum();
        u64::try_from(sum + self.exiting_threads.load(Ordering::Relaxed)).unwrap_or(0) + mapped
    }

    /// The counter of this thread. A counter keeps its value when another thread takes it over.
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
        // Relaxed and no read-modify-write, because only this thread writes it.
        self.bytes.store(self.bytes.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
    }
}
