//! The heap behind its table.

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

/// What stands behind [`HeapContext`](segue_abi::allocator::HeapContext).
pub(super) struct RawHeap {
    pub(super) heap: NonNull<mimalloc::mi_heap_t>,
    pub(super) number: u64,
    pub(super) usage: Arc<Usage>,
    pub(super) growth: Growth,
}

/// Where a thread keeps the counters that it used last. A thread is seldom in more images than that in turn.
pub(super) const COUNTER_CACHE_LEN: usize = 8;

/// A counter that a thread has used, and the number of its heap.
type CacheSlot = Cell<(u64, *const Counter)>;

/// The number of a thread, while it lives.
struct ThreadNumber(u64);

thread_local! {
    /// Without a destructor, so that it can be used at any time of a thread's life.
    static COUNTER_CACHE: [CacheSlot; COUNTER_CACHE_LEN] = const { [const { Cell::new((0, ptr::null())) }; COUNTER_CACHE_LEN] };
    static THREAD_NUMBER: ThreadNumber = ThreadNumber::take();
}

/// Numbers heaps and threads, from 1. Only uniqueness counts: Relaxed is enough.
pub(super) static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// The numbers of threads that have ended. The lock carries what they have counted to whoever takes one over.
static FREE_NUMBERS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

// === impl Raw ===

impl RawHeap {
    #[inline(always)]
    pub(super) fn count(&self, bytes: i64) {
        match self.cached_counter() {
            Some(counter) => counter.add(bytes),
            None => self.count_uncached(bytes),
        }
    }

    /// The counter of this thread, if it is among those that it used last.
    #[inline(always)]
    fn cached_counter(&self) -> Option<&Counter> {
        let (number, counter) = COUNTER_CACHE
            .with(|cached_counter| cached_counter[self.number as usize % COUNTER_CACHE_LEN].get());
        // SAFETY: by the number it is a counter of this heap, which stays as long as the image whose call this is.
        (number == self.number).then(|| unsafe { &*counter })
    }

    /// Has mimalloc make a block, and counts `bytes` if it does, on a thread that may not have used this heap yet.
    #[cold]
    #[inline(never)]
    fn allocate_uncached(
        &self,
        bytes: i64,
        allocate: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
    ) -> *mut c_void {
        let block = {
            let _no_heap_goes = thread_exit::hold_for_first_use();
            allocate(self.heap.as_ptr())
        };
        if !block.is_null() {
            self.count_uncached(bytes);
        }
        block
    }

    /// As above, on any thread.
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
        COUNTER_CACHE.with(|cached_counter| {
            cached_counter[self.number as usize % COUNTER_CACHE_LEN].set((self.number, counter))
        });
        // SAFETY: it was found just now, and stays as long as the heap.
        unsafe { &*counter }.add(bytes);
    }
}

// === impl Thread ===

impl ThreadNumber {
    fn take() -> Self {
        thread_exit::hook_current_thread();
        let free = FREE_NUMBERS.lock().pop();
        ThreadNumber(free.unwrap_or_else(|| NEXT_NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for ThreadNumber {
    fn drop(&mut self) {
        // From now on its counters are somebody else's.
        COUNTER_CACHE.with(|cached_counter| {
            cached_counter.iter().for_each(|cached_counter| cached_counter.set((0, ptr::null())))
        });
        FREE_NUMBERS.lock().push(self.0);
    }
}
