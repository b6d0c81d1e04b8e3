use std::{
    ptr,
    sync::{atomic::Ordering, mpsc},
    time::Duration,
};

use segue_abi::allocator::ImageHeap;

use crate::heap::{
    calls::{alloc, dealloc},
    image_heap::Heap,
    raw::COUNTER_CACHE_LEN,
    thread_exit,
};

#[test]
fn live_bytes_are_counted_across_threads_and_after_the_heap_is_gone() {
    let heap = Heap::new().unwrap();
    let usage = heap.usage().clone();
    let table = &*heap.table;
    // SAFETY: the blocks are freed with the sizes that they were allocated with.
    unsafe {
        let small = (table.alloc)(table.context, 100, 8);
        let zeros = (table.alloc_zeroed)(table.context, 64, 64);
        assert_eq!(zeros.addr() % 64, 0);
        assert!((0..64).all(|at| *zeros.add(at) == 0));
        small.write_bytes(7, 100);
        let longer = (table.realloc)(table.context, small, 100, 8, 5000);
        assert!((0..100).all(|at| *longer.add(at) == 7));
        assert_eq!(usage.live_bytes(), 5064);
        let (context, block) = (table.context.expose_provenance(), longer.expose_provenance());
        std::thread::spawn(move || {
            let context = ptr::with_exposed_provenance(context);
            dealloc(context, ptr::with_exposed_provenance_mut(block), 5000);
        })
        .join()
        .unwrap();
    }
    assert_eq!(usage.live_bytes(), 64);
    drop(heap);
    assert_eq!(usage.live_bytes(), 64, "it was leaked, and the heap freed it");
}

#[test]
fn blocks_have_their_alignment_and_keep_it_when_they_grow() {
    let heap = Heap::new().unwrap();
    let table = &*heap.table;
    for align in (0..=16).map(|bits| 1 << bits) {
        for size in [1, 7, 8, 9, 15, 16, 17, 24, 40, 48, 200, 1000, 1025, 5000, 20_000, 300_000] {
            for allocate in [table.alloc, table.alloc_zeroed] {
                // Two blocks, because the first block of a page has a larger alignment than the others.
                for _ in 0..2 {
                    // SAFETY: the block is passed on with its size and alignment, and not used afterwards.
                    let longer = unsafe {
                        let block = allocate(table.context, size, align);
                        assert_eq!(block.addr() % align, 0, "{size} bytes at {align}");
                        block.write_bytes(7, size);
                        (table.realloc)(table.context, block, size, align, 2 * size)
                    };
                    assert_eq!(longer.addr() % align, 0, "{size} bytes at {align}, twice as long");
                    // SAFETY: the block has twice as many bytes.
                    assert!((0..size).all(|at| unsafe { *longer.add(at) } == 7));
                }
            }
        }
    }
}

#[test]
fn a_zeroed_block_is_zero_where_other_data_was() {
    let heap = Heap::new().unwrap();
    let table = &*heap.table;
    for size in [8, 40, 1000, 5000, 40_000] {
        // SAFETY: the blocks are used within their sizes, and freed with the sizes that they were allocated
        // with.
        unsafe {
            let dirty: Vec<_> = (0..200).map(|_| (table.alloc)(table.context, size, 8)).collect();
            dirty.iter().for_each(|block| block.write_bytes(7, size));
            dirty.iter().for_each(|block| (table.dealloc)(table.context, *block, size));
            for _ in 0..200 {
                let block = (table.alloc_zeroed)(table.context, size, 8);
                assert!((0..size).all(|at| *block.add(at) == 0), "{size} bytes");
            }
        }
    }
}

#[test]
fn mappings_are_counted_and_unmapped_with_the_heap() {
    const LEN: usize = 3 * 4096;
    let heap = Heap::new().unwrap();
    let usage = heap.usage().clone();
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: it maps new memory, which nothing uses.
    let block = unsafe { libc::mmap(ptr::null_mut(), LEN, protection, flags, -1, 0) };
    let mut pages = [0u8; 3];
    // SAFETY: it only queries, and `pages` has an entry for each page.
    let mut is_mapped = || unsafe { libc::mincore(block, LEN, pages.as_mut_ptr()) } == 0;
    assert!(is_mapped());
    // SAFETY: the context belongs to this heap.
    unsafe { (heap.table.mapped)(heap.table.context, block.expose_provenance(), LEN) };
    assert_eq!(usage.live_bytes(), LEN as u64);
    drop(heap);
    assert!(!is_mapped());
    assert_eq!(usage.live_bytes(), LEN as u64, "it was left");
}

#[test]
fn short_lived_threads_share_counters() {
    let heap = Heap::new().unwrap();
    let context = heap.table.context.expose_provenance();
    for _ in 0..100 {
        // SAFETY: the block is never used.
        let allocate = move || unsafe { alloc(ptr::with_exposed_provenance(context), 10, 1).addr() };
        assert_ne!(std::thread::spawn(allocate).join().unwrap(), 0);
    }
    assert_eq!(heap.usage().live_bytes(), 1000);
    // Other tests run at the same time, so their threads may have taken some numbers.
    assert!(heap.usage().counters.lock().len() < 50);
}

#[test]
fn threads_may_end_while_a_heap_that_they_used_is_destroyed() {
    // Without the lock in `thread_exit`, the process crashes within some hundred rounds.
    for _ in 0..3000 {
        let heap = Heap::new().unwrap();
        let context = heap.table.context.expose_provenance();
        let used = std::sync::Arc::new(std::sync::Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let used = used.clone();
                std::thread::spawn(move || {
                    // SAFETY: the block is never used.
                    unsafe { alloc(ptr::with_exposed_provenance(context), 10, 1) };
                    used.wait();
                })
            })
            .collect();
        used.wait();
        drop(heap);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn a_first_use_of_a_heap_waits_while_another_heap_is_destroyed() {
    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(10);
    let heap = Heap::new().unwrap();
    let context = heap.table.context.expose_provenance();
    let (request, requests) = mpsc::channel::<()>();
    let (result, results) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while requests.recv().is_ok() {
                // SAFETY: the block is never used.
                result.send(unsafe { alloc(ptr::with_exposed_provenance(context), 10, 1).addr() }).unwrap();
            }
        });
        let destroying = thread_exit::hold_for_destroy();
        request.send(()).unwrap();
        assert!(results.recv_timeout(SOON).is_err(), "the first use of the heap waits");
        drop(destroying);
        assert!(results.recv_timeout(LATE).is_ok_and(|block| block != 0));
        let _destroying = thread_exit::hold_for_destroy();
        request.send(()).unwrap();
        assert!(results.recv_timeout(LATE).is_ok(), "a later use does not wait");
        drop(request);
    });
}

#[test]
fn heaps_that_share_a_cache_slot_are_distinguished() {
    let heaps: Vec<Heap> = (0..3 * COUNTER_CACHE_LEN).map(|_| Heap::new().unwrap()).collect();
    for round in 1..=3 {
        for heap in &heaps {
            // SAFETY: the block is never used.
            unsafe { (heap.table.alloc)(heap.table.context, 10, 1) };
            assert_eq!(heap.usage().live_bytes(), 10 * round);
        }
    }
}

#[test]
fn a_mapping_at_the_old_addresses_of_a_moved_one_is_counted() {
    const PAGE: usize = 4096;
    const MAPPED: usize = 10_000;
    fn table(heap: &Heap) -> &ImageHeap {
        &heap.table
    }
    let heap = &Heap::new().unwrap();
    let new = |at, protection, flags| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags;
        // SAFETY: it maps new memory, or replaces memory of this test.
        unsafe { libc::mmap(at, PAGE, protection, flags, -1, 0) }
    };
    let map = || {
        let block = new(ptr::null_mut(), libc::PROT_READ, 0).expose_provenance();
        let table = table(heap);
        // SAFETY: as in a module.
        unsafe { (table.mapped)(table.context, block, PAGE) };
        block
    };
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let to = new(ptr::null_mut(), libc::PROT_NONE, 0);
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            while !is_done.load(Ordering::Relaxed) {
                let (table, old) = (table(heap), map());
                // SAFETY: as in a module. Both ranges belong to this thread.
                unsafe {
                    let at = (table.remap)(table.context, old, PAGE, PAGE, flags, to.addr());
                    assert_eq!(at as usize, to.addr());
                    (table.unmapped)(table.context, to.addr(), PAGE);
                }
                new(to, libc::PROT_NONE, libc::MAP_FIXED);
            }
        });
        for _ in 0..MAPPED {
            map();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(heap.usage().live_bytes(), (MAPPED * PAGE) as u64);
    let table = table(heap);
    // SAFETY: as in a module. The kernel refuses it.
    let refused = unsafe { (table.remap)(table.context, 1, PAGE, PAGE, 0, 0) };
    assert_eq!(refused, -(libc::EINVAL as isize));
}
