//! A list that only grows, and that a signal handler can read meanwhile.

use std::sync::OnceLock;

/// The number of slots in a chunk.
const SLOTS: usize = 64;

/// A list of slots. A slot never moves and is never freed. Its own state says whether it is in use.
pub(crate) struct SlotList<T: 'static> {
    // `OnceLock::get` is one load, so a signal handler may call it. It sees the initialized chunk.
    first: OnceLock<&'static Chunk<T>>,
}

struct Chunk<T: 'static> {
    slots: Vec<T>,
    rest: SlotList<T>,
}

impl<T: Default> SlotList<T> {
    pub(crate) const fn new() -> Self {
        SlotList { first: OnceLock::new() }
    }

    /// The existing slots. Async-signal-safe.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static T> {
        let mut chunks = self;
        std::iter::from_fn(move || {
            let chunk = *chunks.first.get()?;
            chunks = &chunk.rest;
            Some(chunk.slots.iter())
        })
        .flatten()
    }

    /// The first free slot, or a new one. Only one thread at a time may call this.
    pub(crate) fn free_slot(&self, is_free: impl Fn(&T) -> bool) -> &'static T {
        if let Some(slot) = self.iter().find(|slot| is_free(slot)) {
            return slot;
        }
        let mut chunks = self;
        while let Some(chunk) = chunks.first.get() {
            chunks = &chunk.rest;
        }
        let chunk = chunks.first.get_or_init(|| {
            let slots = std::iter::repeat_with(T::default).take(SLOTS).collect();
            Box::leak(Box::new(Chunk { slots, rest: SlotList::new() }))
        });
        &chunk.slots[0]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn the_list_grows_and_reuses_free_slots() {
        let chunks: SlotList<AtomicUsize> = SlotList::new();
        assert_eq!(chunks.iter().count(), 0);
        let is_free = |slot: &AtomicUsize| slot.load(Relaxed) == 0;
        for number in 1..=2 * SLOTS {
            chunks.free_slot(is_free).store(number, Relaxed);
        }
        let numbers: Vec<usize> = chunks.iter().map(|slot| slot.load(Relaxed)).collect();
        assert_eq!(numbers, (1..=2 * SLOTS).collect::<Vec<_>>());
        chunks.iter().nth(70).unwrap().store(0, Relaxed);
        assert!(std::ptr::eq(chunks.free_slot(is_free), chunks.iter().nth(70).unwrap()));
        assert_eq!(chunks.iter().count(), 2 * SLOTS);
    }
}
