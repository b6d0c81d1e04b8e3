//! What is known of one image, in words that can be copied one by one while somebody else writes them.

use std::ops::Range;

use crate::{file::candidate::Staged, linker::linkmap::Place};

/// How long an entry is, in words of 8 bytes.
pub(super) const WORDS: usize = 40;

/// How much of a module's name is kept, in bytes: all of it, by what the metadata allows.
const NAME_BYTES_MAX: usize = 64;
/// How much of a version is kept, in bytes: all of it, by what the metadata allows.
const VERSION_BYTES_MAX: usize = 128;

// Which word says what.
pub(super) const START: usize = 0;
pub(super) const END: usize = 1;
pub(super) const TEXT_START: usize = 2;
pub(super) const TEXT_END: usize = 3;
pub(super) const OPENED_BY: usize = 4;
pub(super) const SERIAL: usize = 5;
const BASE: usize = 6;
const OWNER: usize = 7;
const GENERATION: usize = 8;
const LENGTHS: usize = 9;
const OPENED_AT: usize = 10;
const DIGEST: Range<usize> = 11..15;
const NAME: Range<usize> = 15..23;
const VERSION: Range<usize> = 23..39;
pub(super) const UNMAPPED_AT: usize = 39;

const _: () = assert!((NAME.end - NAME.start) * 8 == NAME_BYTES_MAX);
const _: () = assert!((VERSION.end - VERSION.start) * 8 == VERSION_BYTES_MAX);

/// What the table says of one image.
#[derive(Clone, Copy)]
pub(crate) struct Entry(pub(super) [u64; WORDS]);

/// Bytes that were put into words.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) words: &'a [u64],
    pub(super) len: usize,
}

// === impl Entry ===

impl Entry {
    /// Of a file that the calling thread is about to open: nobody knows yet where it will be.
    pub(crate) fn opening(staged: &Staged) -> Self {
        let mut entry = Entry([0; WORDS]);
        // SAFETY: it only asks for a number.
        entry.0[OPENED_BY] = unsafe { libc::gettid() } as u64;
        entry.0[OPENED_AT] = monotonic_ms();
        entry.0[OWNER] = staged.reported_to;
        entry.0[GENERATION] = staged.generation;
        put(&mut entry.0[DIGEST], staged.digest.bytes());
        let name = put(&mut entry.0[NAME], staged.metadata.name.as_bytes());
        let version = put(&mut entry.0[VERSION], staged.metadata.version.as_bytes());
        entry.0[LENGTHS] = name | version << 32;
        entry
    }

    /// It is in memory, here.
    pub(super) fn set_place(&mut self, place: &Place) {
        self.0[OPENED_BY] = 0;
        self.0[START] = place.span.start as u64;
        self.0[END] = place.span.end as u64;
        self.0[TEXT_START] = place.text.start as u64;
        self.0[TEXT_END] = place.text.end as u64;
        self.0[BASE] = place.base as u64;
    }

    /// The thread that is opening the file; 0 once it is in memory.
    pub(super) fn opened_by(&self) -> i32 {
        self.0[OPENED_BY] as i32
    }

    /// From its first byte to behind its last.
    pub(super) fn span(&self) -> Range<u64> {
        self.0[START]..self.0[END]
    }

    /// From its first byte that can be executed to behind the last.
    pub(super) fn text(&self) -> Range<u64> {
        self.0[TEXT_START]..self.0[TEXT_END]
    }

    /// What is added to an address in the file.
    pub(super) fn base(&self) -> u64 {
        self.0[BASE]
    }

    /// Whose file a report of it goes into; 0 for everybody's.
    pub(super) fn owner(&self) -> u64 {
        self.0[OWNER]
    }

    pub(super) fn generation(&self) -> u64 {
        self.0[GENERATION]
    }

    /// How long ago the file was opened, in milliseconds, whatever the system's clock was set to meanwhile.
    pub(super) fn age_ms(&self) -> u64 {
        monotonic_ms().saturating_sub(self.0[OPENED_AT])
    }

    /// How long ago the image left memory, in milliseconds; none while it is there.
    pub(super) fn left_ms(&self) -> Option<u64> {
        let left_at = self.0[UNMAPPED_AT];
        (left_at != 0).then(|| monotonic_ms().saturating_sub(left_at))
    }

    pub(super) fn digest(&self) -> Packed<'_> {
        Packed { words: &self.0[DIGEST], len: 32 }
    }

    pub(super) fn name(&self) -> Packed<'_> {
        Packed { words: &self.0[NAME], len: (self.0[LENGTHS] & 0xffff_ffff) as usize }
    }

    pub(super) fn version(&self) -> Packed<'_> {
        Packed { words: &self.0[VERSION], len: (self.0[LENGTHS] >> 32) as usize }
    }
}

/// A time that is never set, in milliseconds. Safe in a signal handler.
pub(super) fn monotonic_ms() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Puts as many bytes as fit into words, and says how many.
fn put(words: &mut [u64], bytes: &[u8]) -> u64 {
    let mut len = 0;
    for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded[..chunk.len()].copy_from_slice(chunk);
        *word = u64::from_le_bytes(padded);
        len += chunk.len() as u64;
    }
    len
}

// === impl Packed ===

impl Packed<'_> {
    /// Has a look at each byte. A loop and no iterator, since each adapter has a frame of its own in a debug build, and a signal
    /// handler little stack.
    pub(super) fn for_each(self, mut look: impl FnMut(u8)) {
        let mut left = self.len;
        for word in self.words {
            for byte in word.to_le_bytes() {
                if left == 0 {
                    return;
                }
                look(byte);
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_words_comes_out_of_them_as_far_as_it_fits() {
        let mut words = [0; 2];
        for text in ["", "a", "greeter", "greeters", "greeter-of-16-ch", "greeter-of-more-than-16"] {
            let len = put(&mut words, text.as_bytes());
            let mut bytes = Vec::new();
            Packed { words: &words, len: len as usize }.for_each(|byte| bytes.push(byte));
            assert_eq!(bytes, &text.as_bytes()[..text.len().min(16)]);
        }
    }
}
