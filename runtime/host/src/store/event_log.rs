//! The story of a runtime: events in order and numbered, in the ledger and for whoever follows.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};

use crate::{
    api::{Actor, Command, Error, Event, Record},
    store::ledger::{Durability, Entry, Ledger, LedgerChange},
};

/// How many events are kept in memory, for those who follow; older ones are read from the ledger.
const RECENT_MAX: usize = 4096;

/// How many events that could not be written are kept to be written later. More than that are lost to the ledger.
const UNWRITTEN_MAX: usize = 65_536;

/// How many events are read from the ledger at a time.
const READ_AT_ONCE: usize = 512;

/// The events of one runtime.
#[derive(Clone)]
pub struct Events {
    shared: Arc<SharedLog>,
}

struct SharedLog {
    log: Mutex<Log>,
    /// Rung for each new event, and when the log is closed.
    changed: Condvar,
}

struct Log {
    /// The number that the next event gets.
    next_seq: u64,
    recent: VecDeque<Record>,
    /// What could not be written, as when the disk is full. Written before anything else.
    unwritten: VecDeque<Entry>,
    ledger: Ledger,
    closed: bool,
}

/// What a [`Subscription`] has to say.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and seldom anything but an event")]
pub enum NextEvent {
    /// The next event.
    Event(Record),
    /// Nothing happened in the time given.
    Quiet,
    /// Nothing will happen any more.
    Closed,
}

/// Reads events one after the other, from a number on.
pub struct Subscription {
    shared: Arc<SharedLog>,
    next_seq: u64,
    /// Older ones that were read from the ledger.
    read: VecDeque<Record>,
}

/// Whether what has happened is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is.
    Yes,
    /// It is written as soon as that can be done.
    NotYet,
}

/// A command that had a key, and its answer.
pub(crate) struct Answered {
    pub(crate) command: Command,
    pub(crate) answer: String,
    pub(crate) recorded: Recorded,
}

// === impl Events ===

impl Events {
    pub(crate) fn new(ledger: Ledger) -> Result<Self, Error> {
        let next_seq = ledger.last_seq()? + 1;
        let log =
            Log { next_seq, recent: VecDeque::new(), unwritten: VecDeque::new(), ledger, closed: false };
        Ok(Events { shared: Arc::new(SharedLog { log: Mutex::new(log), changed: Condvar::new() }) })
    }

    /// Writes what is about to happen, waits for the disk, has it happen, and tells it. What happens must not fail.
    ///
    /// Nothing else is written or told meanwhile, so that events are told in the order in which things happen.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then it did not happen.
    pub(crate) fn commit(
        &self,
        by: &Actor,
        events: Vec<(Event, Vec<LedgerChange>)>,
        happen: impl FnOnce(),
    ) -> Result<(), Error> {
        let mut log = self.shared.log.lock();
        let entries = log.number(by, events);
        log.write(&entries, Durability::Synced)?;
        happen();
        log.publish(entries);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Tells something that has happened, and writes it, waiting for the disk where that is asked for.
    pub(crate) fn record(
        &self,
        by: &Actor,
        event: Event,
        changes: Vec<LedgerChange>,
        durability: Durability,
    ) -> Recorded {
        let mut log = self.shared.log.lock();
        let entries = log.number(by, vec![(event, changes)]);
        let recorded = match log.write(&entries, durability) {
            Ok(()) => Recorded::Yes,
            Err(error) => {
                if log.unwritten.is_empty() {
                    tracing::error!("an event cannot be written, and is kept in memory: {error}");
                }
                log.unwritten.extend(entries.iter().cloned());
                while log.unwritten.len() > UNWRITTEN_MAX {
                    log.unwritten.pop_front();
                }
                Recorded::NotYet
            }
        };
        log.publish(entries);
        self.shared.changed.notify_all();
        recorded
    }

    /// Tells something that has happened by the runtime's own doing.
    pub(crate) fn record_event(&self, by: &Actor, event: Event) {
        self.record(by, event, Vec::new(), Durability::Buffered);
    }

    /// Looks something up in the ledger.
    pub(crate) fn read_ledger<R>(&self, look: impl FnOnce(&Ledger) -> R) -> R {
        look(&self.shared.log.lock().ledger)
    }

    /// What the command with a key was, and what it was answered: also where that is still to be written.
    pub(crate) fn answer(&self, key: &str) -> Result<Option<Answered>, Error> {
        let log = self.shared.log.lock();
        let mut unwritten = log.unwritten.iter().flat_map(|entry| &entry.changes);
        let found = unwritten.find_map(|change| match change {
            LedgerChange::Answered { key: of, command, answer } if of == key => Some((command, answer)),
            _ => None,
        });
        if let Some((command, answer)) = found {
            let (command, answer) = (command.clone(), answer.clone());
            return Ok(Some(Answered { command, answer, recorded: Recorded::NotYet }));
        }
        let written = log.ledger.answer(key)?;
        Ok(written.map(|(command, answer)| Answered { command, answer, recorded: Recorded::Yes }))
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        self.shared.log.lock().closed = true;
        self.shared.changed.notify_all();
    }

    /// Reads from this number on: 0 or 1 for everything that the ledger has.
    pub fn from(&self, seq: u64) -> Subscription {
        self.subscription(seq.max(1))
    }

    /// Reads what happens from now on.
    pub fn from_now(&self) -> Subscription {
        let next_seq = self.shared.log.lock().next_seq;
        self.subscription(next_seq)
    }

    fn subscription(&self, next_seq: u64) -> Subscription {
        Subscription { shared: self.shared.clone(), next_seq, read: VecDeque::new() }
    }

    /// What is kept in memory, from this number on.
    pub fn recent(&self, seq: u64) -> Vec<Record> {
        self.shared.log.lock().recent.iter().filter(|record| record.seq >= seq).cloned().collect()
    }
}

// === impl Log ===

impl Log {
    fn number(&self, by: &Actor, events: Vec<(Event, Vec<LedgerChange>)>) -> Vec<Entry> {
        let numbered = (self.next_seq..).zip(events);
        numbered
            .map(|(seq, (event, changes))| {
                let record = Record { seq, at: Timestamp::now(), by: by.clone(), event };
                Entry { record, changes }
            })
            .collect()
    }

    fn write(&mut self, entries: &[Entry], durability: Durability) -> Result<(), Error> {
        let written = self.ledger.write(self.unwritten.iter().chain(entries), durability);
        written.map_err(|source| self.ledger.failed("write", source))?;
        self.unwritten.clear();
        Ok(())
    }

    fn publish(&mut self, entries: Vec<Entry>) {
        for Entry { record, .. } in entries {
            self.next_seq = record.seq + 1;
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(record);
        }
    }
}

// === impl Subscription ===

impl Subscription {
    /// The next event, where one comes in this time. Events that were forgotten are skipped; the numbers tell.
    pub fn next(&mut self, patience: Duration) -> NextEvent {
        if let Some(record) = self.read.pop_front() {
            return self.give(record);
        }
        let mut log = self.shared.log.lock();
        let first_kept = log.recent.front().map_or(log.next_seq, |record| record.seq);
        if self.next_seq < first_kept {
            // Where the ledger cannot be read, what is in memory is told, and the numbers tell of the gap.
            let read = log.ledger.events(self.next_seq, None, READ_AT_ONCE).unwrap_or_default();
            self.read = read.into_iter().filter(|record| record.seq < first_kept).collect();
            if let Some(record) = self.read.pop_front() {
                drop(log);
                return self.give(record);
            }
        }
        if log.next_seq <= self.next_seq && !log.closed {
            self.shared.changed.wait_while_for(
                &mut log,
                |log| log.next_seq <= self.next_seq && !log.closed,
                patience,
            );
        }
        let found = log.recent.iter().find(|record| record.seq >= self.next_seq).cloned();
        let closed = log.closed;
        drop(log);
        match found {
            Some(record) => self.give(record),
            None if closed => NextEvent::Closed,
            None => NextEvent::Quiet,
        }
    }

    fn give(&mut self, record: Record) -> NextEvent {
        self.next_seq = record.seq + 1;
        NextEvent::Event(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Event {
        Event::WatchFailed { directory: n.to_string(), reason: String::new() }
    }

    fn events() -> Events {
        Events::new(Ledger::in_memory().unwrap()).unwrap()
    }

    #[test]
    fn numbers_have_no_gap_and_what_memory_forgot_is_in_the_ledger() {
        let events = events();
        for n in 0..RECENT_MAX + 10 {
            events.record_event(&Actor::Embedder, event(n));
        }
        let recent = events.recent(0);
        assert_eq!(recent.len(), RECENT_MAX);
        assert_eq!(recent[0].seq, 11);
        let mut subscription = events.from(1);
        for seq in 1..=RECENT_MAX as u64 + 10 {
            let NextEvent::Event(record) = subscription.next(Duration::ZERO) else {
                panic!("no event {seq}")
            };
            assert_eq!(record.seq, seq);
        }
        assert_eq!(subscription.next(Duration::ZERO), NextEvent::Quiet);
    }

    #[test]
    fn a_subscription_resumes_waits_and_ends() {
        let events = events();
        events.record_event(&Actor::Embedder, event(1));
        events.record_event(&Actor::Embedder, event(2));
        let mut subscription = events.from(2);
        assert!(matches!(subscription.next(Duration::ZERO), NextEvent::Event(Record { seq: 2, .. })));
        assert_eq!(subscription.next(Duration::ZERO), NextEvent::Quiet);
        let later = events.clone();
        let pusher = std::thread::spawn(move || later.record_event(&Actor::Embedder, event(3)));
        assert!(matches!(
            subscription.next(Duration::from_secs(10)),
            NextEvent::Event(Record { seq: 3, .. })
        ));
        pusher.join().unwrap();
        events.close();
        assert_eq!(subscription.next(Duration::from_secs(10)), NextEvent::Closed);
    }
}
