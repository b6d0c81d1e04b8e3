//! Reserves the addresses of the images that were unmapped last.
//!
//! A call of unmapped code faults if nothing is mapped there. If a later image were mapped at the same
//! addresses, the call would run its code. So the addresses of the last images stay reserved, without memory
//! behind them.

use std::{collections::VecDeque, ops::Range, ptr};

use libc::{MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE};
use parking_lot::Mutex;

/// How many address ranges stay reserved.
const RANGES_MAX: usize = 64;

/// The reserved address ranges, the oldest first.
static RANGES: Mutex<VecDeque<Range<usize>>> = Mutex::new(VecDeque::new());

/// Reserves the addresses of an image that was just unmapped, and releases the oldest range if there are too
/// many. Reserves nothing if another thread has already mapped something there, or if the system refuses.
pub(crate) fn reserve(range: Range<usize>) {
    // SAFETY: it only returns a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let range = range.start & !(page - 1)..range.end.next_multiple_of(page);
    if range.is_empty() {
        return;
    }
    let at = ptr::without_provenance_mut(range.start);
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    // SAFETY: it reranges no mapping (MAP_FIXED_NOREPLACE), and the mapping can be neither read nor written.
    let mapped = unsafe { libc::mmap(at, range.len(), PROT_NONE, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return;
    }
    let mut ranges = RANGES.lock();
    // A kernel before 4.17 treats the address as a hint.
    if mapped == at {
        ranges.push_back(range);
    } else {
        ranges.push_front(mapped.addr()..mapped.addr() + range.len());
    }
    if (mapped != at || ranges.len() > RANGES_MAX)
        && let Some(oldest) = ranges.pop_front()
    {
        // SAFETY: this module mapped it, nothing can use it, and it is unmapped once, because it is no longer
        // in the list.
        unsafe { libc::munmap(ptr::without_provenance_mut(oldest.start), oldest.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A range that nothing else is likely to map meanwhile.
    fn free_range() -> Range<usize> {
        // SAFETY: the system chooses the range, and it is unmapped at once.
        unsafe {
            let at = libc::mmap(ptr::null_mut(), 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            libc::munmap(at, 1 << 20);
            at.addr() + 4096..at.addr() + 8000
        }
    }

    #[test]
    fn a_range_is_reserved_once_and_never_reranges_a_mapping() {
        let range = free_range();
        let is_reserved = || RANGES.lock().iter().filter(|it| it.start == range.start).count();
        reserve(range.clone());
        assert_eq!(is_reserved(), 1);
        reserve(range.clone());
        assert_eq!(is_reserved(), 1, "it is mapped already");
    }
}
