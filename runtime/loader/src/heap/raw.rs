//! The heap behind the functions of `ImageHeap`, and its counters.

use std::{
    cell::Cell,
    ffi::c_void,
    ptr::{self, NonNull},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use libmimalloc_sys as mimalloc;
use parking_lot::Mutex;

use crate::heap::{
    growth::Growth,
    thread_exit,
    usage::{Counter, Usage},
};

/// The data behind [`HeapContext`](segue_abi::allocator::HeapContext).
pub(super) struct RawHeap {
    pub(super) heap: NonNull<mimalloc::mi_heap_t>,
    pub(super) number: u64,
    pub(super) usage: Arc<Usage>,
    pub(super) growth: Growth,
}

/// How many counters a thread caches. A thread seldom alternates between more images.
pub(super) const COUNTER_CACHE_LEN: usize = 8;

/// A counter that a thread has used, and the number of its heap.
type CacheSlot = Cell<(u64, *const Counter)>;

/// The number of a thread, while it lives.
struct ThreadNumber(u64);

thread_local! {
    /// Without a destructor, so it can be used until the thread has ended.
    static COUNTER_CACHE: [CacheSlot; COUNTER_CACHE_LEN] = const { [const { Cell::new((0, ptr::null())) }; COUNTER_CACHE_LEN] };
    static THREAD_NUMBER: ThreadNumber = ThreadNumber::take();
}

/// The next number for a heap or a thread, from 1. Numbers only need to be unique, so Relaxed is enough.
pub(super) static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// The numbers of threads that have ended. The lock makes their counts visible to the thread that takes over
/// a number.
static FREE_NUMBERS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

// === impl RawHeap ===

impl RawHeap {
    #[inline(always)]
    pub(super) fn count(&self, bytes: i64) {
        match self.cached_counter() {
            Some(counter) => counter.add(bytes),
            None => self.count_uncached(bytes),
        }
    }

    /// The counter of this thread, if it is cached.
    #[inline(always)]
    fn cached_counter(&self) -> Option<&Counter> {
        let (number, counter) =
            COUNTER_CACHE.with(|cache| cache[self.number as usize % COUNTER_CACHE_LEN].get());
        // SAFETY: the number proves that it is a counter of this heap, which lives as long as the calling
        // image.
        (number == self.number).then(|| unsafe { &*counter })
    }

    /// Like [`allocate`](Self::allocate), on a thread that may not have used this heap yet.
    #[cold]
    #[inline(never)]
    fn allocate_uncached(
        &self,
        bytes: i64,
        allocate: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
    ) -> *mut c_void {
        let block = {
            let _no_destroy = thread_exit::hold_for_first_use();
            allocate(self.heap.as_ptr())
        };
        if !block.is_null() {
            self.count_uncached(bytes);
        }
        block
    }

    /// Allocates a block with a function of mimalloc. Counts `bytes` if it succeeds.
    #[inline(always)]
    pub(super) fn allocate(
        &self,
        bytes: i64,
        allocate: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
    ) -> *mut c_void {
        let Some(counter) = self.cached_counter() else { return self.allocate_uncached(bytes, allocate) };
        let block = allocate(self.heap.as_ptr());
        if !block.is_null() {
            counter.add(bytes);
        }
        block
    }

    #[cold]
    #[inline(never)]
    fn count_uncached(&self, bytes: i64) {
        let Ok(thread) = THREAD_NUMBER.try_with(|thread| thread.0) else {
            self.usage.exiting_threads.fetch_add(bytes, Ordering::Relaxed);
            return;
        };
        let counter = self.usage.counter_of(thread);
        COUNTER_CACHE
            .with(|cache| cache[self.number as usize % COUNTER_CACHE_LEN].set((self.number, counter)));
        // SAFETY: the counter was just found, and lives as long as the heap.
        unsafe { &*counter }.add(bytes);
    }
}

// === impl ThreadNumber ===

impl ThreadNumber {
    fn take() -> Self {
        thread_exit::hook_current_thread();
        let free = FREE_NUMBERS.lock().pop();
        ThreadNumber(free.unwrap_or_else(|| NEXT_NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for ThreadNumber {
    fn drop(&mut self) {
        // From now on its counters belong to another thread.
        COUNTER_CACHE.with(|cache| cache.iter().for_each(|slot| slot.set((0, ptr::null()))));
        FREE_NUMBERS.lock().push(self.0);
    }
}
