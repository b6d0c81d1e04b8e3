//! An occupant that counts what happens to it.

use segue_core::{Cell, Fences, Occupant, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// What happened to all occupants of one test, and what must not have.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) drops: AtomicUsize,
    pub(crate) departures: AtomicUsize,
    /// An occupant was dropped twice, or while somebody was inside.
    pub(crate) broken: AtomicBool,
}

/// An occupant that knows who is inside, by counters of its own which the cell knows nothing of.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) generation: u64,
    pub(crate) inside: AtomicUsize,
    pub(crate) departures: AtomicUsize,
    alive: AtomicBool,
    log: Arc<Log>,
}

impl Tracked {
    pub(crate) fn new(generation: u64, log: &Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            generation,
            inside: AtomicUsize::new(0),
            departures: AtomicUsize::new(0),
            alive: AtomicBool::new(true),
            log: Arc::clone(log),
        })
    }

    /// What a caller does inside.
    pub(crate) fn call(&self) -> u64 {
        self.inside.fetch_add(1, SeqCst);
        assert!(self.alive.load(SeqCst), "a call into a dropped occupant");
        self.inside.fetch_sub(1, SeqCst);
        self.generation
    }
}

impl Occupant for Tracked {
    fn on_thread_exit(&self) {
        self.call();
        self.departures.fetch_add(1, SeqCst);
        self.log.departures.fetch_add(1, SeqCst);
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !self.alive.swap(false, SeqCst) || self.inside.load(SeqCst) != 0 {
            self.log.broken.store(true, SeqCst);
        }
        self.log.drops.fetch_add(1, SeqCst);
    }
}

/// A view of occupants, but of each fifth one.
pub(crate) struct Seen;

/// What is seen of an occupant.
pub(crate) struct Sight<'a> {
    pub(crate) of: &'a Tracked,
}

impl View<Tracked> for Seen {
    type Value<'a> = Sight<'a>;

    fn make<'a>(&self, occupant: &'a Tracked) -> Option<Sight<'a>> {
        is_seen(occupant.generation).then_some(Sight { of: occupant })
    }

    fn shorten<'short, 'long: 'short>(of: &'short Sight<'long>) -> &'short Sight<'short> {
        of
    }
}

pub(crate) fn is_seen(generation: u64) -> bool {
    !generation.is_multiple_of(5)
}

impl Drop for Sight<'_> {
    fn drop(&mut self) {
        // It goes before what it borrows from.
        self.of.call();
    }
}

/// Both pairs of fences; the same one twice where the machine has only one.
pub(crate) fn both_fences() -> [Fences; 2] {
    [Fences::detect(), Fences::symmetric()]
}

pub(crate) fn empty_cell(fences: Fences) -> Arc<Cell<Tracked>> {
    Cell::with_fences(Box::new(|| {}), fences)
}
