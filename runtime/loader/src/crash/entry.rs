//! The entry of one image in the table. It consists of words that can be copied one by one while another
//! thread writes them.

use std::ops::Range;

use crate::{file::candidate::Staged, linker::linkmap::Addresses};

/// The size of an entry, in words of 8 bytes.
pub(super) const WORDS: usize = 40;

/// The size of a module's name, in bytes. The metadata allows no longer one.
const NAME_BYTES_MAX: usize = 64;
/// The size of a version, in bytes. The metadata allows no longer one.
const VERSION_BYTES_MAX: usize = 128;

// The index of each word.
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

/// The data about one image.
#[derive(Clone, Copy)]
pub(crate) struct Entry(pub(super) [u64; WORDS]);

/// Bytes that are stored in words.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) words: &'a [u64],
    pub(super) len: usize,
}

// === impl Entry ===

impl Entry {
    /// For a file that the calling thread is about to open. Its addresses are not known yet.
    pub(crate) fn opening(staged: &Staged) -> Self {
        let mut entry = Entry([0; WORDS]);
        // SAFETY: it only returns a number.
        entry.0[OPENED_BY] = unsafe { libc::gettid() } as u64;
        entry.0[OPENED_AT] = monotonic_ms();
        entry.0[OWNER] = staged.report_owner;
        entry.0[GENERATION] = staged.generation;
        pack(&mut entry.0[DIGEST], staged.digest.bytes());
        let name = pack(&mut entry.0[NAME], staged.metadata.name.as_bytes());
        let version = pack(&mut entry.0[VERSION], staged.metadata.version.as_bytes());
        entry.0[LENGTHS] = name | version << 32;
        entry
    }

    /// Sets the addresses: the image is mapped.
    pub(super) fn set_addresses(&mut self, addresses: &Addresses) {
        self.0[OPENED_BY] = 0;
        self.0[START] = addresses.span.start as u64;
        self.0[END] = addresses.span.end as u64;
        self.0[TEXT_START] = addresses.text.start as u64;
        self.0[TEXT_END] = addresses.text.end as u64;
        self.0[BASE] = addresses.base as u64;
    }

    /// The thread that is opening the file; 0 after the image is mapped.
    pub(super) fn opened_by(&self) -> i32 {
        self.0[OPENED_BY] as i32
    }

    /// From its first byte to past its last byte.
    pub(super) fn span(&self) -> Range<u64> {
        self.0[START]..self.0[END]
    }

    /// From its first executable byte to past the last one.
    pub(super) fn text(&self) -> Range<u64> {
        self.0[TEXT_START]..self.0[TEXT_END]
    }

    /// The difference between an address in memory and in the file.
    pub(super) fn base(&self) -> u64 {
        self.0[BASE]
    }

    /// The owner of the file that its reports go to; 0 for all files.
    pub(super) fn owner(&self) -> u64 {
        self.0[OWNER]
    }

    pub(super) fn generation(&self) -> u64 {
        self.0[GENERATION]
    }

    /// How long ago the file was opened, in milliseconds, by the monotonic clock.
    pub(super) fn age_ms(&self) -> u64 {
        monotonic_ms().saturating_sub(self.0[OPENED_AT])
    }

    /// How long ago the image was unmapped, in milliseconds; `None` while it is mapped.
    pub(super) fn left_ms(&self) -> Option<u64> {
        let unmapped_at = self.0[UNMAPPED_AT];
        (unmapped_at != 0).then(|| monotonic_ms().saturating_sub(unmapped_at))
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

/// The monotonic clock, in milliseconds. Async-signal-safe.
pub(super) fn monotonic_ms() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Stores as many bytes as fit into the words, and returns their number.
fn pack(words: &mut [u64], bytes: &[u8]) -> u64 {
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
    /// Calls the function for each byte. It is a loop and not an iterator, because each adapter has a stack
    /// frame in a debug build, and a signal handler has little stack.
    pub(super) fn for_each(self, mut visit: impl FnMut(u8)) {
        let mut left = self.len;
        for word in self.words {
            for byte in word.to_le_bytes() {
                if left == 0 {
                    return;
                }
                visit(byte);
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bytes_are_read_back_as_far_as_they_fit() {
        let mut words = [0; 2];
        for text in ["", "a", "greeter", "greeters", "greeter-of-16-ch", "greeter-of-more-than-16"] {
            let len = pack(&mut words, text.as_bytes());
            let mut bytes = Vec::new();
            Packed { words: &words, len: len as usize }.for_each(|byte| bytes.push(byte));
            assert_eq!(bytes, &text.as_bytes()[..text.len().min(16)]);
        }
    }
}
