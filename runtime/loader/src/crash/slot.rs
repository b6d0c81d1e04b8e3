//! A slot for one entry, which a signal handler can read while another thread writes it.
//!
//! # Synchronization
//!
//! A slot has a sequence number that is odd while its words are written. A reader compares the number before
//! and after. If it is odd or has changed, the reader skips the slot: the image is being mapped or was just
//! unmapped.

use std::{
    ops::Range,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, fence},
};

use crate::crash::entry::{END, Entry, START, TEXT_END, TEXT_START, WORDS};

pub(super) struct Slot {
    /// Odd while the words are written.
    sequence: AtomicU32,
    /// All zero if the slot is free.
    words: [AtomicU64; WORDS],
}

// === impl Slot ===

impl Default for Slot {
    fn default() -> Self {
        Slot::new()
    }
}

impl Slot {
    pub(super) const fn new() -> Self {
        Slot { sequence: AtomicU32::new(0), words: [const { AtomicU64::new(0) }; WORDS] }
    }

    /// One word, which may not match the others. Relaxed is enough: callers check the result again with
    /// [`read`](Slot::read).
    pub(super) fn word(&self, at: usize) -> u64 {
        self.words[at].load(Ordering::Relaxed)
    }

    pub(super) fn span(&self) -> Range<u64> {
        self.word(START)..self.word(END)
    }

    pub(super) fn text(&self) -> Range<u64> {
        self.word(TEXT_START)..self.word(TEXT_END)
    }

    /// Only one thread may write at a time.
    pub(super) fn write(&self, entry: &Entry) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // Release, with the Acquire fence in `read`: a reader that has read a word from below then sees the
        // odd number.
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(&entry.0) {
            word.store(*value, Ordering::Relaxed);
        }
        // Release, with the first load in `read`: a reader that sees the even number sees all words.
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Frees the slot. Only one thread may write at a time.
    pub(super) fn clear(&self) {
        self.write(&Entry([0; WORDS]));
    }

    /// Reads the words. Returns whether they are consistent.
    pub(super) fn read(&self, entry: &mut Entry) -> bool {
        // Acquire, with the last store in `write`.
        let before = self.sequence.load(Ordering::Acquire);
        for (value, word) in entry.0.iter_mut().zip(&self.words) {
            *value = word.load(Ordering::Relaxed);
        }
        // Acquire, with the Release fence in `write`.
        fence(Ordering::Acquire);
        let after = self.sequence.load(Ordering::Relaxed);
        before == after && before.is_multiple_of(2)
    }
}
