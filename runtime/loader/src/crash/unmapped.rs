//! The images that have left this process, and where they were.
//!
//! Code that the runtime cannot see (a library, the kernel) may keep the address of a function of an image. A
//! call of that address after the image has left must not be blamed on the next image. So the place of every
//! image that left is kept for the life of the process. A place that a later image covers whole is given up:
//! the later one is the one that was there last.
//!
//! # Synchronization
//!
//! As [`Table`](super::Table): writers take a lock, readers may be in a signal handler and take none.

use parking_lot::Mutex;

use crate::{
    crash::{
        entry::{Entry, UNMAPPED_AT, monotonic_ms},
        slot::Slot,
    },
    signal_safe::slot_list::SlotList,
};

/// What has left this process.
pub(crate) static UNMAPPED: UnmappedImages = UnmappedImages::new();

/// The places that images had.
pub(crate) struct UnmappedImages {
    slots: SlotList<Slot>,
    /// Held by the writer.
    writer: Mutex<()>,
}

impl UnmappedImages {
    const fn new() -> Self {
        UnmappedImages { slots: SlotList::new(), writer: Mutex::new(()) }
    }

    /// Notes that this image has left.
    pub(crate) fn record(&self, entry: &Entry) {
        let mut entry = *entry;
        // Never 0, which marks a free slot.
        entry.0[UNMAPPED_AT] = monotonic_ms().max(1);
        let _turn = self.writer.lock();
        let span = entry.span();
        let is_covered = |slot: &Slot| {
            let other = slot.span();
            slot.word(UNMAPPED_AT) != 0 && span.start <= other.start && other.end <= span.end
        };
        self.slots.iter().filter(|slot| is_covered(slot)).for_each(Slot::clear);
        self.slots.free_slot(|slot| slot.word(UNMAPPED_AT) == 0).write(&entry);
    }

    /// The image that was at this address last; whether there was one. Safe in a signal handler.
    pub(super) fn at(&self, address: u64, entry: &mut Entry) -> bool {
        let mut newest = None;
        let mut last = 0;
        for slot in self.slots.iter() {
            let left_at = slot.word(UNMAPPED_AT);
            if left_at > last && slot.span().contains(&address) {
                (newest, last) = (Some(slot), left_at);
            }
        }
        newest.is_some_and(|slot| slot.read(entry)) && entry.span().contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crash::entry::WORDS, linker::linkmap::Place};

    fn entry(start: usize, end: usize, base: usize) -> Entry {
        let mut entry = Entry([0; WORDS]);
        entry.set_place(&Place { base, span: start..end, text: start..end });
        entry
    }

    fn base_at(departed: &UnmappedImages, address: u64) -> Option<u64> {
        let mut entry = Entry([0; WORDS]);
        departed.at(address, &mut entry).then(|| entry.base())
    }

    #[test]
    fn an_image_is_found_where_it_was_for_as_long_as_the_process_lives() {
        let departed = UnmappedImages::new();
        assert_eq!(base_at(&departed, 1000), None);
        for number in 0..200 {
            departed.record(&entry(1000 * (number + 1), 1000 * (number + 1) + 100, number));
        }
        for number in 0..200 {
            assert_eq!(base_at(&departed, 1000 * (number + 1) + 99), Some(number));
            assert_eq!(base_at(&departed, 1000 * (number + 1) + 100), None);
        }
    }

    #[test]
    fn one_that_covers_others_takes_their_slots() {
        let departed = UnmappedImages::new();
        for number in 0..200 {
            departed.record(&entry(1000, 1100, number));
        }
        assert_eq!(departed.slots.iter().filter(|slot| slot.word(UNMAPPED_AT) != 0).count(), 1);
        departed.record(&entry(2000, 2100, 7));
        departed.record(&entry(900, 2200, 8));
        assert_eq!([950, 1050, 2050].map(|at| base_at(&departed, at)), [Some(8); 3]);
        departed.record(&entry(1050, 1060, 9));
        assert_eq!([1049, 1060].map(|at| base_at(&departed, at)), [Some(8); 2]);
    }
}
