//! The handlers of each signal, one for each image that has one. The dispatcher reads them in a signal
//! handler.
//!
//! # Synchronization
//!
//! The dispatcher increments a count before it checks that the handler is still there. A writer removes the
//! handler before it checks the count. Both use SeqCst, so at least one sees the other: either the handler is
//! not called, or its image waits.
//!
//! # Handlers that do not return
//!
//! A handler may exit with `longjmp`, which skips the decrement. So each thread notes which functions it is
//! running. When it no longer runs any code of an image, it decrements the counts itself: [`forget_running`].

use std::{
    cell::Cell,
    ptr,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use crate::{
    signal_safe::slot_list::SlotList,
    signals::{host::SIGNALS_MAX, image_id::ImageId},
};

/// The handlers of one signal.
pub(super) struct Handlers(SlotList<HandlerSlot>);

/// The handlers of the images, by signal.
pub(super) static HANDLERS: [Handlers; SIGNALS_MAX] = [const { Handlers::new() }; SIGNALS_MAX];

/// The handler of one image.
#[derive(Default)]
pub(super) struct HandlerSlot {
    /// Larger for an image that started to handle the signal later. 0 if the slot is free.
    serial: AtomicU64,
    /// The image, also after the handler was removed.
    image: AtomicUsize,
    /// The function; 0 if there is nothing to call.
    function: AtomicUsize,
    /// Whether it is called only for the next signal.
    is_once: AtomicBool,
    /// The number of threads that run the function, or are about to check that it is still there.
    running: AtomicU32,
}

/// A handler that the dispatcher has found.
#[derive(Clone, Copy)]
pub(super) struct FoundHandler {
    slot: &'static HandlerSlot,
    pub(super) serial: u64,
}

impl Handlers {
    pub(super) const fn new() -> Self {
        Handlers(SlotList::new())
    }

    /// Adds the handler of an image. The caller must hold the lock of the actions.
    pub(super) fn add(
        &self,
        image: ImageId,
        serial: u64,
        function: usize,
        is_once: bool,
    ) -> &'static HandlerSlot {
        let slot = self.0.free_slot(|slot| slot.serial.load(SeqCst) == 0 && !slot.is_running());
        slot.image.store(image.0, SeqCst);
        slot.set(function, is_once);
        slot.serial.store(serial, SeqCst);
        slot
    }

    /// The newest handler below this serial number. Async-signal-safe.
    pub(super) fn newest_below(&self, serial: u64) -> Option<FoundHandler> {
        let mut newest: Option<FoundHandler> = None;
        for slot in self.0.iter() {
            let number = slot.serial.load(SeqCst);
            let is_newer = number > newest.map_or(0, |newest| newest.serial);
            if number < serial && is_newer && slot.function.load(SeqCst) != 0 {
                newest = Some(FoundHandler { slot, serial: number });
            }
        }
        newest
    }
}

impl HandlerSlot {
    /// Changes the function. The caller must hold the lock of the actions.
    pub(super) fn set(&self, function: usize, is_once: bool) {
        self.is_once.store(is_once, SeqCst);
        self.function.store(function, SeqCst);
    }

    /// Removes the handler. A thread may still run it: [`is_running`](HandlerSlot::is_running).
    pub(super) fn remove(&self) {
        self.serial.store(0, SeqCst);
    }

    /// Whether a thread is running the function.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(SeqCst) != 0
    }
}

impl FoundHandler {
    /// Calls `call` with the function, if the handler is still there. Returns whether it was.
    /// Async-signal-safe.
    pub(super) fn run(self, call: impl FnOnce(usize)) -> bool {
        let FoundHandler { slot, serial } = self;
        slot.running.fetch_add(1, SeqCst);
        enter(slot);
        let mut function = 0;
        if slot.serial.load(SeqCst) == serial {
            let is_once = slot.is_once.load(SeqCst);
            function = if is_once { slot.function.swap(0, SeqCst) } else { slot.function.load(SeqCst) };
        }
        if function != 0 {
            call(function);
        }
        exit(slot);
        slot.running.fetch_sub(1, SeqCst);
        function != 0
    }
}

/// The most functions that a thread can note at once.
const INSIDE_MAX: usize = 8;

thread_local! {
    /// The slots whose functions the calling thread runs, and how many times. A cell with the number 0 is
    /// free. Without a destructor and with a constant initializer, so a signal handler may use it.
    static INSIDE: [Cell<(Option<&'static HandlerSlot>, u32)>; INSIDE_MAX] =
        const { [const { Cell::new((None, 0)) }; INSIDE_MAX] };
}

/// Notes that the calling thread enters a function. If all cells are in use, a function that does not return
/// stays counted.
fn enter(slot: &'static HandlerSlot) {
    INSIDE.with(|inside| {
        let known = inside.iter().find(|cell| is_in(cell.get(), slot));
        if let Some(cell) = known.or_else(|| inside.iter().find(|cell| cell.get().1 == 0)) {
            cell.set((Some(slot), cell.get().1 + 1));
        }
    });
}

/// Notes that the calling thread returns from a function.
fn exit(slot: &'static HandlerSlot) {
    INSIDE.with(|inside| {
        if let Some(cell) = inside.iter().find(|cell| is_in(cell.get(), slot)) {
            cell.set((Some(slot), cell.get().1 - 1));
        }
    });
}

fn is_in((of, times): (Option<&'static HandlerSlot>, u32), slot: &'static HandlerSlot) -> bool {
    times > 0 && of.is_some_and(|of| ptr::eq(of, slot))
}

/// Decrements the counts of the calling thread, which no longer runs any code of this image.
pub(crate) fn forget_running(image: ImageId) {
    INSIDE.with(|inside| {
        for cell in inside {
            if let (Some(slot), times) = cell.get()
                && slot.image.load(SeqCst) == image.0
            {
                cell.set((None, 0));
                slot.running.fetch_sub(times, SeqCst);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_found_newest_first_and_not_after_removal() {
        let handlers = Handlers::new();
        let slots = [3, 1, 2].map(|serial| handlers.add(ImageId(1), serial, 100 + serial as usize, false));
        let order = || {
            let mut order = Vec::new();
            let mut last = u64::MAX;
            while let Some(found) = handlers.newest_below(last) {
                last = found.serial;
                found.run(|function| order.push(function));
            }
            order
        };
        assert_eq!(order(), [103, 102, 101]);
        let found = handlers.newest_below(3).unwrap();
        slots[2].remove();
        assert!(!found.run(|_| panic!("it was removed")));
        assert_eq!(order(), [103, 101]);
        slots[1].set(201, true);
        assert_eq!((order(), order()), (vec![103, 201], vec![103]), "once");
    }

    #[test]
    fn a_slot_is_not_reused_while_a_thread_runs_its_function() {
        let handlers = Handlers::new();
        let slot = handlers.add(ImageId(1), 1, 101, false);
        handlers.newest_below(u64::MAX).unwrap().run(|_| {
            slot.remove();
            assert!(slot.is_running());
            assert!(!ptr::eq(slot, handlers.add(ImageId(1), 2, 102, false)));
        });
        assert!(!slot.is_running() && ptr::eq(slot, handlers.add(ImageId(1), 3, 103, false)));
    }

    #[test]
    fn a_handler_that_did_not_return_is_forgotten() {
        let handlers = Handlers::new();
        let slots = [1, 2].map(|image| handlers.add(ImageId(image), image as u64, 101, false));
        for _ in 0..20 {
            // Like a `longjmp`.
            let left = std::panic::catch_unwind(|| {
                handlers.newest_below(3).unwrap().run(|_| {
                    handlers.newest_below(2).unwrap().run(|_| std::panic::resume_unwind(Box::new(())));
                });
            });
            assert!(left.is_err());
        }
        assert!(slots.iter().all(|slot| slot.is_running()));
        forget_running(ImageId(2));
        assert_eq!(slots.map(HandlerSlot::is_running), [true, false]);
        forget_running(ImageId(1));
        handlers.newest_below(2).unwrap().run(|_| ());
        assert!(!slots[0].is_running());
    }
}
