//! An occupant that counts what happens to it, for all test binaries.

use segue_core::{Cell, Fences, Occupant, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// What happened to the occupants of one test.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) drops: AtomicUsize,
    pub(crate) exit_notices: AtomicUsize,
    /// Whether an occupant was dropped twice, or while a caller was inside.
    pub(crate) broken: AtomicBool,
}

/// An occupant that counts the callers inside with counters of its own, independent of the cell.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) generation: u64,
    pub(crate) inside: AtomicUsize,
    pub(crate) exit_notices: AtomicUsize,
    alive: AtomicBool,
    log: Arc<Log>,
}

impl Tracked {
    pub(crate) fn new(generation: u64, log: &Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            generation,
            inside: AtomicUsize::new(0),
            exit_notices: AtomicUsize::new(0),
            alive: AtomicBool::new(true),
            log: Arc::clone(log),
        })
    }

    /// What a caller does while inside.
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
        self.exit_notices.fetch_add(1, SeqCst);
        self.log.exit_notices.fetch_add(1, SeqCst);
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

/// A view with no value for every fifth occupant.
pub(crate) struct Partial;

/// The value that [`Partial`] makes.
pub(crate) struct Borrowed<'a> {
    pub(crate) occupant: &'a Tracked,
}

impl View<Tracked> for Partial {
    type Value<'a> = Borrowed<'a>;

    fn make<'a>(&self, occupant: &'a Tracked) -> Option<Borrowed<'a>> {
        has_value(occupant.generation).then_some(Borrowed { occupant })
    }

    fn shorten<'short, 'long: 'short>(value: &'short Borrowed<'long>) -> &'short Borrowed<'short> {
        value
    }
}

pub(crate) fn has_value(generation: u64) -> bool {
    !generation.is_multiple_of(5)
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        // It is dropped before the occupant that it borrows from.
        self.occupant.call();
    }
}

/// Both pairs of fences. If the machine supports only one, it is there twice.
pub(crate) fn both_fences() -> [Fences; 2] {
    [Fences::detect(), Fences::symmetric()]
}

pub(crate) fn empty_cell(fences: Fences) -> Arc<Cell<Tracked>> {
    Cell::with_fences(Box::new(|| {}), fences)
}
