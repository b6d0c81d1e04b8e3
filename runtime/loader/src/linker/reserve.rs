//! The addresses of the images that left last, which stay reserved for a while.
//!
//! A call of code that has left faults if nothing is mapped there. If a later image were mapped at the same
//! place, the call would run whatever that has at this address. So the places of the last images stay
//! reserved, without memory behind them.

use std::{collections::VecDeque, ops::Range, ptr};

use libc::{MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE};
use parking_lot::Mutex;

/// How many places stay reserved.
const PLACES_MAX: usize = 64;

/// The places that are reserved, the oldest first.
static PLACES: Mutex<VecDeque<Range<usize>>> = Mutex::new(VecDeque::new());

/// Reserves the place of an image that has just left, and gives back the oldest place if there are too many.
/// Reserves nothing if another thread has already mapped something there, or if the system refuses.
pub(crate) fn reserve(place: Range<usize>) {
    // SAFETY: it only asks for a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let place = place.start & !(page - 1)..place.end.next_multiple_of(page);
    if place.is_empty() {
        return;
    }
    let at = ptr::without_provenance_mut(place.start);
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    // SAFETY: it replaces no mapping (MAP_FIXED_NOREPLACE), and nobody can read or write what it maps.
    let mapped = unsafe { libc::mmap(at, place.len(), PROT_NONE, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return;
    }
    let mut places = PLACES.lock();
    // A kernel before 4.17 takes the address for a wish.
    if mapped == at {
        places.push_back(place);
    } else {
        places.push_front(mapped.addr()..mapped.addr() + place.len());
    }
    if (mapped != at || places.len() > PLACES_MAX)
        && let Some(oldest) = places.pop_front()
    {
        // SAFETY: this module mapped it, nobody can use it, and it is given back once: it is not in the list
        // any more.
        unsafe { libc::munmap(ptr::without_provenance_mut(oldest.start), oldest.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place that nothing else is likely to take meanwhile.
    fn free_place() -> Range<usize> {
        // SAFETY: the system picks the place, and it is given back at once.
        unsafe {
            let at = libc::mmap(ptr::null_mut(), 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            libc::munmap(at, 1 << 20);
            at.addr() + 4096..at.addr() + 8000
        }
    }

    #[test]
    fn a_place_is_reserved_once_and_never_taken_from_others() {
        let place = free_place();
        let is_reserved = || PLACES.lock().iter().filter(|it| it.start == place.start).count();
        reserve(place.clone());
        assert_eq!(is_reserved(), 1);
        reserve(place.clone());
        assert_eq!(is_reserved(), 1, "it is mapped already");
    }
}
