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
    growth::Room,
    thread_exit,
    usage::{Counter, Usage},
};

/// What stands behind [`HeapContext`](segue_abi::allocator::HeapContext).
pub(super) struct Raw {
    pub(super) heap: NonNull<mimalloc::mi_heap_t>,
    pub(super) number: u64,
    pub(super) usage: Arc<Usage>,
    pub(super) room: Room,
}

/// Where a thread keeps the counters that it used last. A thread is seldom in more images than that in turn.
pub(super) const NEAR_LEN: usize = 8;

/// A counter that a thread has used, and the number of its heap.
type Near = Cell<(u64, *const Counter)>;

/// The number of a thread, while it lives.
struct Thread(u64);

thread_local! {
    /// Without a destructor, so that it can be used at any time of a thread's life.
    static NEAR: [Near; NEAR_LEN] = const { [const { Cell::new((0, ptr::null())) }; NEAR_LEN] };
    static THREAD: Thread = Thread::begin();
}

/// Numbers heaps and threads, from 1. Only uniqueness counts: Relaxed is enough.
pub(super) static NEXT: AtomicU64 = AtomicU64::new(1);

/// The numbers of threads that have ended. The lock carries what they have counted to whoever takes one over.
static FREE: Mutex<Vec<u64>> = Mutex::new(Vec::new());

// === impl Raw ===

impl Raw {
    #[inline(always)]
    pub(super) fn count(&self, bytes: i64) {
        match self.near() {
            Some(counter) => counter.add(bytes),
            None => self.count_far(bytes),
        }
    }

    /// The counter of this thread, if it is among those that it used last.
    #[inline(always)]
    fn near(&self) -> Option<&Counter> {
        let (number, counter) = NEAR.with(|near| near[self.number as usize % NEAR_LEN].get());
        // SAFETY: by the number it is a counter of this heap, which stays as long as the image whose call this is.
        (number == self.number).then(|| unsafe { &*counter })
    }

    /// Has mimalloc make a block, and counts `bytes` if it does, on a thread that may not have used this heap yet.
    #[cold]
    #[inline(never)]
    fn make_far(
        &self,
        bytes: i64,
        make: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
    ) -> *mut c_void {
        let block = {
            let _no_heap_goes = thread_exit::first_use();
            make(self.heap.as_ptr())
        };
        if !block.is_null() {
            self.count_far(bytes);
        }
        block
    }

    /// As above, on any thread.
    #[inline(always)]
    pub(super) fn make(
        &self,
        bytes: i64,
        make: impl FnOnce(*mut mimalloc::mi_heap_t) -> *mut c_void,
    ) -> *mut c_void {
        let Some(counter) = self.near() else { return self.make_far(bytes, make) };
        let block = make(self.heap.as_ptr());
        if !block.is_null() {
            counter.add(bytes);
        }
        block
    }

    #[cold]
    #[inline(never)]
    fn count_far(&self, bytes: i64) {
        let Ok(thread) = THREAD.try_with(|thread| thread.0) else {
            self.usage.ending.fetch_add(bytes, Ordering::Relaxed);
            return;
        };
        let counter = self.usage.counter_of(thread);
        NEAR.with(|near| near[self.number as usize % NEAR_LEN].set((self.number, counter)));
        // SAFETY: it was found just now, and stays as long as the heap.
        unsafe { &*counter }.add(bytes);
    }
}

// === impl Thread ===

impl Thread {
    fn begin() -> Self {
        thread_exit::watch();
        let free = FREE.lock().pop();
        Thread(free.unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // From now on its counters are somebody else's.
        NEAR.with(|near| near.iter().for_each(|near| near.set((0, ptr::null()))));
        FREE.lock().push(self.0);
    }
}
