//! The memory that one image has mapped directly.

use std::collections::BTreeMap;

/// Address ranges that do not overlap.
#[derive(Debug, Default)]
pub(crate) struct Mappings {
    /// From the first address to past the last one.
    ranges: BTreeMap<usize, usize>,
}

/// The smallest page size, in bytes. The kernel maps whole pages. If its pages are larger, the lengths are
/// multiples of those.
const PAGE_BYTES: usize = 4096;

// === impl Mappings ===

impl Mappings {
    /// Adds a range. It replaces what was mapped there.
    pub(crate) fn add(&mut self, start: usize, len: usize) {
        self.remove(start, len);
        let end = end_of(start, len);
        if end > start {
            self.ranges.insert(start, end);
        }
    }

    /// Removes a range.
    pub(crate) fn remove(&mut self, start: usize, len: usize) {
        let end = end_of(start, len);
        let overlapping: Vec<(usize, usize)> = self
            .ranges
            .range(..end)
            .rev()
            .map(|(from, to)| (*from, *to))
            // Ranges do not overlap, so all earlier ones end before `start` too.
            .take_while(|(_, to)| *to > start)
            .collect();
        for (from, to) in overlapping {
            self.ranges.remove(&from);
            if from < start {
                self.ranges.insert(from, start);
            }
            if to > end {
                self.ranges.insert(end, to);
            }
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.iter().map(|(_, len)| len as u64).sum()
    }

    /// Each range, with its first address and its length.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.ranges.iter().map(|(start, end)| (*start, end - start))
    }
}

fn end_of(start: usize, len: usize) -> usize {
    start.saturating_add(len.saturating_add(PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unmapping_the_middle_of_a_mapping_keeps_both_ends() {
        let mut mappings = Mappings::default();
        mappings.add(0x10_0000, 10 * PAGE_BYTES - 1);
        assert_eq!(mappings.bytes(), 10 * PAGE_BYTES as u64, "pages are mapped completely");
        mappings.remove(0x10_0000 + 4 * PAGE_BYTES, 2 * PAGE_BYTES);
        let left: Vec<_> = mappings.iter().collect();
        assert_eq!(left, [(0x10_0000, 4 * PAGE_BYTES), (0x10_0000 + 6 * PAGE_BYTES, 4 * PAGE_BYTES)]);
        mappings.remove(0, usize::MAX);
        assert_eq!(mappings.bytes(), 0);
    }

    proptest! {
        #[test]
        fn the_last_change_of_each_page_counts(
            changes in prop::collection::vec((any::<bool>(), 0usize..40, 0usize..12), 0..40)
        ) {
            let mut mappings = Mappings::default();
            let mut pages = [false; 60];
            for (is_mapped, first, count) in changes {
                let (start, len) = (first * PAGE_BYTES, count * PAGE_BYTES);
                if is_mapped { mappings.add(start, len) } else { mappings.remove(start, len) }
                pages[first..first + count].fill(is_mapped);
            }
            let mut found = [false; 60];
            for (start, len) in mappings.iter() {
                let pages = &mut found[start / PAGE_BYTES..(start + len) / PAGE_BYTES];
                prop_assert!(pages.iter().all(|is_mapped| !is_mapped), "they overlap");
                pages.fill(true);
            }
            prop_assert_eq!(found, pages);
        }
    }
}
