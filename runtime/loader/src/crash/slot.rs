//! One entry that a signal handler can read while it is written.
//!
//! # Synchronization
//!
//! A slot has a sequence number that is odd while its words are written. A reader compares the number before
//! and after. A reader that finds the number odd or changed passes the slot over: the image is just arriving,
//! or has just left.

use std::{
    ops::Range,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, fence},
};

use crate::crash::entry::{END, Entry, START, TEXT_END, TEXT_START, WORDS};

pub(super) struct Slot {
    /// Odd while the words are written.
    sequence: AtomicU32,
    /// All zero where the slot is free.
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

    /// One word, which need not go with the others: Relaxed. What is concluded from it is looked at again in
    /// what [`read`](Slot::read) answers.
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
        // Release, with the Acquire fence in `read`: whoever has read a word from below sees the odd number
        // after it.
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(&entry.0) {
            word.store(*value, Ordering::Relaxed);
        }
        // Release, with the first load in `read`: whoever sees the even number sees all words.
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Frees it. Only one thread may write at a time.
    pub(super) fn clear(&self) {
        self.write(&Entry([0; WORDS]));
    }

    /// Reads the words; whether they go together.
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
