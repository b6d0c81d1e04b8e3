//! One module: its cell, and the book that is kept about it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use segue_core::{Cell, Which};
use segue_loader::InterfaceMismatch;

use crate::{
    CallError, CallFailure, Error, Event, Events, ModuleStatus, Pin, PinKind, Standing, Step, VersionId,
    VersionStatus,
    bell::Bell,
    book::{Book, Old, Phase, Quarantined},
    caller::{Caller, Callers},
    journey::micros,
    resident::Residents,
    version::{About, Version},
};

/// One module of a runtime.
pub(crate) struct Module {
    pub(crate) name: Arc<str>,
    pub(crate) cell: Arc<Cell<Version>>,
    /// Held by the load that goes on: loads of one module queue, loads of different modules do not.
    pub(crate) turn: Mutex<()>,
    /// Which drop-in is the newest; an earlier one that still waits gives way.
    pub(crate) newest_drop_in: Mutex<u64>,
    /// Who has a handle to it. One is admitted with the book locked, so that no version becomes current meanwhile.
    pub(crate) callers: Callers,
    book: Mutex<Book>,
    /// Rung at each change of the book.
    changed: Condvar,
    bell: Arc<Bell>,
    events: Events,
}

// === impl Module ===

impl Module {
    pub(crate) fn new(name: &str, events: &Events) -> Arc<Self> {
        let bell = Arc::new(Bell::default());
        let rung_by_leavers = bell.clone();
        Arc::new(Module {
            name: name.into(),
            cell: Cell::new(Box::new(move || rung_by_leavers.ring())),
            turn: Mutex::new(()),
            newest_drop_in: Mutex::new(0),
            callers: Callers::default(),
            book: Mutex::default(),
            changed: Condvar::new(),
            bell,
            events: events.clone(),
        })
    }

    /// Admits a caller whom the current version fits, and makes what it calls through, before another version can come.
    pub(crate) fn admit<R>(&self, caller: &Arc<Caller>, make: impl FnOnce() -> R) -> Result<R, Error> {
        let _book = self.book();
        if let (Some(expected), Some(current)) = (caller.expected(), self.cell.current()) {
            current
                .image
                .check_interface(expected)
                .map_err(|source| self.does_not_fit(&current.about.id.version, None, source))?;
        }
        self.callers.admit(caller);
        Ok(make())
    }

    /// The refusal of a version that does not fit who calls.
    pub(crate) fn does_not_fit(&self, version: &str, step: Option<Step>, source: InterfaceMismatch) -> Error {
        let (module, version) = (self.name.to_string(), version.to_owned());
        Error::Interface { module, version, step, source: Box::new(source) }
    }

    /// The error of a call that finds nobody.
    #[cold]
    pub(crate) fn no_current(&self) -> CallError {
        CallFailure::NoCurrent { module: self.name.to_string() }.into()
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The book, in which no version has been leaving for too long: whoever takes it out may be stuck in the module's own
    /// `Drop`, so it is whoever looks that puts it in quarantine.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock();
        if book.overdue_at().is_some_and(|at| Instant::now() >= at)
            && let Some(Old { about, phase: Phase::Leaving { pins, .. }, .. }) = &book.old
        {
            let (about, pins) = (about.clone(), pins.clone());
            self.quarantine_in(&mut book, &about, pins);
        }
        book
    }

    /// Puts a version in quarantine that cannot leave, old or never current, or notes what keeps it there.
    pub(crate) fn quarantine(&self, about: &Arc<About>, pins: Vec<Pin>) {
        let id = &about.id;
        tracing::warn!(
            module = %self.name, version = id.version, generation = id.generation, ?pins, "quarantined"
        );
        self.quarantine_in(&mut self.book.lock(), about, pins);
        self.tell_change();
    }

    fn quarantine_in(&self, book: &mut Book, about: &Arc<About>, pins: Vec<Pin>) {
        let generation = about.id.generation;
        let calls = match book.old.take_if(|old| old.about.id.generation == generation) {
            Some(Old { phase: Phase::Leaving { calls, .. }, .. }) => calls,
            _ => 0,
        };
        match book.quarantined.iter_mut().find(|version| version.about.id.generation == generation) {
            Some(version) => version.pins = pins.clone(),
            None => {
                book.quarantined.push(Quarantined { about: about.clone(), calls, pins: pins.clone() });
                book.is_known = true;
            }
        }
        let (module, old) = (self.name.to_string(), about.id.clone());
        self.events.push(Event::Retained { module, old, pins });
        self.changed.notify_all();
    }

    /// A version has left memory. It is told with the book locked, so that no load that it made room for is told before.
    pub(crate) fn forget(&self, old: &VersionId, drain: Duration, purge: Duration) {
        let mut book = self.book.lock();
        book.old.take_if(|version| version.about.id.generation == old.generation);
        book.quarantined.retain(|version| version.about.id.generation != old.generation);
        let (module, old) = (self.name.to_string(), old.clone());
        self.events.push(Event::Purged { module, old, drain_us: micros(drain), purge_us: micros(purge) });
        drop(book);
        self.tell_change();
    }

    /// To be called after each change of the book, or of what waiters of the book look at: they look again.
    pub(crate) fn tell_change(&self) {
        // A waiter that has looked and does not wait yet holds the lock.
        drop(self.book.lock());
        self.changed.notify_all();
        self.bell.ring();
    }

    /// Waits until this is so of the book, and answers with the book; none where it is not so at the deadline. Without a
    /// deadline it waits for ever.
    pub(crate) fn wait_for(
        &self,
        deadline: Option<Instant>,
        mut is_so: impl FnMut(&mut Book) -> bool,
    ) -> Option<MutexGuard<'_, Book>> {
        loop {
            let mut book = self.book();
            if is_so(&mut book) {
                return Some(book);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return None;
            }
            match [deadline, book.overdue_at()].into_iter().flatten().min() {
                None => self.changed.wait(&mut book),
                Some(until) => drop(self.changed.wait_until(&mut book, until)),
            }
        }
    }

    /// The refusal of a third version; none where there is no old one.
    pub(crate) fn not_purged(&self, book: &Book) -> Option<Error> {
        book.old.as_ref().map(|old| Error::NotPurged {
            module: self.name.to_string(),
            version: old.about.id.version.clone(),
            generation: old.about.id.generation,
            inside: self.inside(Which::Old),
        })
    }

    /// The calls inside a version now.
    pub(crate) fn inside(&self, which: Which) -> u64 {
        self.cell.count(which).map_or(0, |count| count.inside)
    }

    /// What is told of the module; none where no version of it was ever current.
    pub(crate) fn status(&self, residents: &Residents) -> Option<ModuleStatus> {
        let book = self.book();
        if !book.is_known {
            return None;
        }
        let entered = |about: &About, which, status| {
            let count = self.cell.count(which);
            VersionStatus {
                inside: count.map_or(0, |count| count.inside),
                calls: count.map_or(0, |count| count.calls),
                oldest_ms: residents.oldest_ms(about.id.generation),
                ..told(about, status)
            }
        };
        let current =
            book.current.as_deref().map(|about| entered(about, Which::Current, Standing::Confirmed));
        let old = book.old.as_ref().map(|old| match &old.phase {
            Phase::Draining => VersionStatus {
                pins: self.call_pins(&old.about, residents),
                ..entered(&old.about, Which::Old, Standing::Draining)
            },
            Phase::Leaving { calls, pins, .. } => {
                VersionStatus { calls: *calls, pins: pins.clone(), ..told(&old.about, Standing::Pinned) }
            }
        });
        let quarantined = book
            .quarantined
            .iter()
            .map(|version| VersionStatus {
                calls: version.calls,
                pins: version.pins.clone(),
                ..told(&version.about, Standing::Pinned)
            })
            .collect();
        Some(ModuleStatus {
            name: self.name.to_string(),
            current,
            old,
            quarantined,
            sticky: false,
            callers: self.callers.status(),
        })
    }

    /// The calls that keep the old version: each that is known, and how many others there are.
    pub(crate) fn call_pins(&self, about: &About, residents: &Residents) -> Vec<Pin> {
        let mut pins = residents.calls(about.id.generation);
        let unknown = self.inside(Which::Old).saturating_sub(pins.len() as u64);
        if unknown > 0 {
            let detail = format!("{unknown} calls on threads that the runtime does not know");
            pins.push(Pin { kind: PinKind::Call, detail });
        }
        pins
    }
}

/// What is told of any version.
fn told(about: &About, status: Standing) -> VersionStatus {
    VersionStatus {
        version: about.id.version.clone(),
        generation: about.id.generation,
        digest: about.digest,
        source: about.source.clone(),
        loaded_at: about.loaded_at,
        status,
        inside: 0,
        oldest_ms: None,
        calls: 0,
        pins: Vec::new(),
    }
}
