//! The images that were unmapped, and their addresses.
//!
//! A library or the kernel may keep the address of a function of an image. A call of that address after the
//! unmapping must not be blamed on the next image. So the addresses of every unmapped image are kept until
//! the process ends, unless a later image covers them completely.
//!
//! # Synchronization
//!
//! As in [`Table`](super::table::Table): writers take a lock, readers take none because they may run in a
//! signal handler.

use parking_lot::Mutex;

use crate::{
    crash::{
        entry::{Entry, UNMAPPED_AT, monotonic_ms},
        slot::Slot,
    },
    signal_safe::slot_list::SlotList,
};

/// The unmapped images of this process.
pub(crate) static UNMAPPED: UnmappedImages = UnmappedImages::new();

/// The addresses of unmapped images.
pub(crate) struct UnmappedImages {
    slots: SlotList<Slot>,
    /// Held by the writer.
    writer: Mutex<()>,
}

impl UnmappedImages {
    const fn new() -> Self {
        UnmappedImages { slots: SlotList::new(), writer: Mutex::new(()) }
    }

    /// Records that this image was unmapped.
    pub(crate) fn record(&self, entry: &Entry) {
        let mut entry = *entry;
        // Never 0, which marks a free slot.
        entry.0[UNMAPPED_AT] = monotonic_ms().max(1);
        let _lock = self.writer.lock();
        let span = entry.span();
        let is_covered = |slot: &Slot| {
            let other = slot.span();
            slot.word(UNMAPPED_AT) != 0 && span.start <= other.start && other.end <= span.end
        };
        self.slots.iter().filter(|slot| is_covered(slot)).for_each(Slot::clear);
        self.slots.free_slot(|slot| slot.word(UNMAPPED_AT) == 0).write(&entry);
    }

    /// Finds the last image at this address. Returns false if there was none. Async-signal-safe.
    pub(super) fn find(&self, address: u64, entry: &mut Entry) -> bool {
        let mut newest = None;
        let mut last = 0;
        for slot in self.slots.iter() {
            let unmapped_at = slot.word(UNMAPPED_AT);
            if unmapped_at > last && slot.span().contains(&address) {
                (newest, last) = (Some(slot), unmapped_at);
            }
        }
        newest.is_some_and(|slot| slot.read(entry)) && entry.span().contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crash::entry::WORDS, linker::linkmap::Addresses};

    fn entry(start: usize, end: usize, base: usize) -> Entry {
        let mut entry = Entry([0; WORDS]);
        entry.set_addresses(&Addresses { base, span: start..end, text: start..end });
        entry
    }

    fn base_at(unmapped: &UnmappedImages, address: u64) -> Option<u64> {
        let mut entry = Entry([0; WORDS]);
        unmapped.find(address, &mut entry).then(|| entry.base())
    }

    #[test]
    fn every_unmapped_image_is_found_at_its_addresses() {
        let unmapped = UnmappedImages::new();
        assert_eq!(base_at(&unmapped, 1000), None);
        for number in 0..200 {
            unmapped.record(&entry(1000 * (number + 1), 1000 * (number + 1) + 100, number));
        }
        for number in 0..200 {
            assert_eq!(base_at(&unmapped, 1000 * (number + 1) + 99), Some(number));
            assert_eq!(base_at(&unmapped, 1000 * (number + 1) + 100), None);
        }
    }

    #[test]
    fn an_image_that_covers_others_replaces_them() {
        let unmapped = UnmappedImages::new();
        for number in 0..200 {
            unmapped.record(&entry(1000, 1100, number));
        }
        assert_eq!(unmapped.slots.iter().filter(|slot| slot.word(UNMAPPED_AT) != 0).count(), 1);
        unmapped.record(&entry(2000, 2100, 7));
        unmapped.record(&entry(900, 2200, 8));
        assert_eq!([950, 1050, 2050].map(|at| base_at(&unmapped, at)), [Some(8); 3]);
        unmapped.record(&entry(1050, 1060, 9));
        assert_eq!([1049, 1060].map(|at| base_at(&unmapped, at)), [Some(8); 2]);
    }
}
