//! The handlers of one signal, one for each image that has one, which the dispatcher reads in a signal
//! handler.
//!
//! # Synchronization
//!
//! The dispatcher counts itself in before it looks whether a handler is still there, and a writer takes the
//! handler away before it looks whether somebody is counted in. Both are SeqCst, so one of them sees the
//! other: either the handler is not called, or its image waits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};

use crate::chunks::Chunks;

/// The handlers of one signal.
pub(super) struct Handlers(Chunks<Slot>);

/// The handler of one image.
#[derive(Default)]
pub(super) struct Slot {
    /// Larger for an image that began to handle the signal later. 0 if the slot is free.
    serial: AtomicU64,
    /// The function. 0 if it does nothing any more.
    function: AtomicUsize,
    /// Whether it is called for the next signal only.
    is_once: AtomicBool,
    /// How many threads are in the function, or are about to look whether it is there.
    running: AtomicU32,
}

/// A handler that the dispatcher has found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    slot: &'static Slot,
    pub(super) serial: u64,
}

impl Handlers {
    pub(super) const fn new() -> Self {
        Handlers(Chunks::new())
    }

    /// Adds the handler of an image. Only under the lock of the writers.
    pub(super) fn add(&self, serial: u64, function: usize, is_once: bool) -> &'static Slot {
        let slot = self.0.vacant(|slot| slot.serial.load(SeqCst) == 0 && !slot.is_running());
        slot.set(function, is_once);
        slot.serial.store(serial, SeqCst);
        slot
    }

    /// The newest handler that is older than this serial number. Safe in a signal handler.
    pub(super) fn before(&self, serial: u64) -> Option<Found> {
        let mut newest: Option<Found> = None;
        for slot in self.0.iter() {
            let it = slot.serial.load(SeqCst);
            let is_newer = it > newest.map_or(0, |newest| newest.serial);
            if it < serial && is_newer && slot.function.load(SeqCst) != 0 {
                newest = Some(Found { slot, serial: it });
            }
        }
        newest
    }
}

impl Slot {
    /// Changes the function. Only under the lock of the writers.
    pub(super) fn set(&self, function: usize, is_once: bool) {
        self.is_once.store(is_once, SeqCst);
        self.function.store(function, SeqCst);
    }

    /// Takes the handler away. A thread may still be in it: [`is_running`](Slot::is_running).
    pub(super) fn remove(&self) {
        self.serial.store(0, SeqCst);
    }

    /// Whether a thread is in the function.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(SeqCst) != 0
    }
}

impl Found {
    /// Calls `run` with the function, if the handler is still there; whether it was. Safe in a signal
    /// handler.
    pub(super) fn run(self, run: impl FnOnce(usize)) -> bool {
        let Found { slot, serial } = self;
        slot.running.fetch_add(1, SeqCst);
        let mut function = 0;
        if slot.serial.load(SeqCst) == serial {
            let is_once = slot.is_once.load(SeqCst);
            function = if is_once { slot.function.swap(0, SeqCst) } else { slot.function.load(SeqCst) };
        }
        if function != 0 {
            run(function);
        }
        slot.running.fetch_sub(1, SeqCst);
        function != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_and_one_that_was_removed_does_not_come() {
        let handlers = Handlers::new();
        let slots = [3, 1, 2].map(|serial| handlers.add(serial, 100 + serial as usize, false));
        let order = || {
            let mut order = Vec::new();
            let mut last = u64::MAX;
            while let Some(found) = handlers.before(last) {
                last = found.serial;
                found.run(|function| order.push(function));
            }
            order
        };
        assert_eq!(order(), [103, 102, 101]);
        let found = handlers.before(3).unwrap();
        slots[2].remove();
        assert!(!found.run(|_| panic!("it was removed")));
        assert_eq!(order(), [103, 101]);
        slots[1].set(201, true);
        assert_eq!((order(), order()), (vec![103, 201], vec![103]), "once");
    }

    #[test]
    fn a_slot_is_not_used_again_while_a_thread_is_in_its_function() {
        let handlers = Handlers::new();
        let slot = handlers.add(1, 101, false);
        handlers.before(u64::MAX).unwrap().run(|_| {
            slot.remove();
            assert!(slot.is_running());
            assert!(!std::ptr::eq(slot, handlers.add(2, 102, false)));
        });
        assert!(!slot.is_running() && std::ptr::eq(slot, handlers.add(3, 103, false)));
    }
}
