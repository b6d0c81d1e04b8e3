//! The event log: numbered events in order, for the ledger and for subscribers.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};

use crate::{
    api::{Actor, Command, Error, Event, Record, RestartTarget},
    store::{
        ledger::{Durability, Entry, Ledger, LedgerChange},
        restart_targets::RestartTargets,
    },
};

/// How many events are kept in memory for subscribers. Older ones are read from the ledger.
const RECENT_MAX: usize = 4096;

/// How many unwritten events are kept for a later write. If there are more, the ledger loses the oldest.
const UNWRITTEN_MAX: usize = 65_536;

/// How many events one read of the ledger returns.
const READ_MAX: usize = 512;

/// The events of one runtime.
#[derive(Clone)]
pub struct Events {
    shared: Arc<SharedLog>,
}

struct SharedLog {
    log: Mutex<LogState>,
    /// Notified of each new event, and when the log is closed.
    changed: Condvar,
    restart_targets: RestartTargets,
}

struct LogState {
    /// The number that the next event gets.
    next_seq: u64,
    recent: VecDeque<Record>,
    /// Entries that could not be written, for example because the disk was full. They are written before
    /// newer ones.
    unwritten: VecDeque<Entry>,
    ledger: Ledger,
    closed: bool,
}

/// The answer of [`Subscription::next`].
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "callers match on it at once, and it is almost always an event"
)]
pub enum NextEvent {
    /// The next event.
    Event(Record),
    /// No event within the timeout.
    TimedOut,
    /// The runtime has shut down. There will be no more events.
    Closed,
}

/// Reads events in order, starting at a number.
pub struct Subscription {
    shared: Arc<SharedLog>,
    next_seq: u64,
    /// Events that were read from the ledger and not returned yet.
    buffered: VecDeque<Record>,
}

/// Whether an event is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is in the ledger.
    Yes,
    /// It is written as soon as the ledger is writable.
    NotYet,
}

/// A command that had an idempotency key, and its answer.
pub(crate) struct Answered {
    pub(crate) command: Command,
    pub(crate) answer: String,
    pub(crate) recorded: Recorded,
}

// === impl Events ===

impl Events {
    pub(crate) fn new(ledger: Ledger) -> Result<Self, Error> {
        let next_seq = ledger.last_seq()? + 1;
        let restart_targets = RestartTargets::read(&ledger)?;
        let log =
            LogState { next_seq, recent: VecDeque::new(), unwritten: VecDeque::new(), ledger, closed: false };
        let (log, changed) = (Mutex::new(log), Condvar::new());
        Ok(Events { shared: Arc::new(SharedLog { log, changed, restart_targets }) })
    }

    /// Writes the events, waits for the disk, calls `apply`, and then publishes the events. `apply` must not
    /// fail.
    ///
    /// The log is locked meanwhile, so events are published in the order in which things happen.
    ///
    /// # Errors
    ///
    /// If the events cannot be written. Then `apply` is not called.
    pub(crate) fn commit(
        &self,
        actor: &Actor,
        events: Vec<(Event, Vec<LedgerChange>)>,
        apply: impl FnOnce(),
    ) -> Result<(), Error> {
        let mut log = self.shared.log.lock();
        let entries = log.number(actor, events);
        log.write(&entries, Durability::Synced, &self.shared.restart_targets)?;
        apply();
        log.publish(entries);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Publishes and writes an event that has happened. If the write fails, the event is kept and written
    /// later.
    pub(crate) fn record(
        &self,
        actor: &Actor,
        event: Event,
        changes: Vec<LedgerChange>,
        durability: Durability,
    ) -> Recorded {
        let mut log = self.shared.log.lock();
        let entries = log.number(actor, vec![(event, changes)]);
        let recorded = match log.write(&entries, durability, &self.shared.restart_targets) {
            Ok(()) => Recorded::Yes,
            Err(error) => {
                if log.unwritten.is_empty() {
                    tracing::error!("cannot write an event to the ledger; keeping it in memory: {error}");
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

    /// Publishes and writes an event that changes nothing in the ledger, and does not wait for the disk.
    pub(crate) fn record_event(&self, actor: &Actor, event: Event) {
        self.record(actor, event, Vec::new(), Durability::Buffered);
    }

    /// Reads the ledger.
    pub(crate) fn read_ledger<R>(&self, read: impl FnOnce(&Ledger) -> R) -> R {
        read(&self.shared.log.lock().ledger)
    }

    /// What a restart returns to for a module; `None` if it restores no version. Does not wait for the disk.
    pub(crate) fn restart_target(&self, module: &str) -> Option<RestartTarget> {
        self.shared.restart_targets.of(module)
    }

    /// The command with this key and its answer, also if the answer is not written yet.
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

    /// Closes the log. All subscriptions end.
    pub(crate) fn close(&self) {
        self.shared.log.lock().closed = true;
        self.shared.changed.notify_all();
    }

    /// Subscribes to the events from this number on. 0 or 1 gives everything in the ledger.
    pub fn from(&self, seq: u64) -> Subscription {
        self.subscription(seq.max(1))
    }

    /// Subscribes to new events.
    pub fn from_now(&self) -> Subscription {
        let next_seq = self.shared.log.lock().next_seq;
        self.subscription(next_seq)
    }

    fn subscription(&self, next_seq: u64) -> Subscription {
        Subscription { shared: self.shared.clone(), next_seq, buffered: VecDeque::new() }
    }

    /// The events from this number on that are still in memory.
    pub fn recent(&self, seq: u64) -> Vec<Record> {
        self.shared.log.lock().recent.iter().filter(|record| record.seq >= seq).cloned().collect()
    }
}

// === impl LogState ===

impl LogState {
    fn number(&self, actor: &Actor, events: Vec<(Event, Vec<LedgerChange>)>) -> Vec<Entry> {
        let numbered = (self.next_seq..).zip(events);
        numbered
            .map(|(seq, (event, changes))| {
                let record = Record { seq, at: Timestamp::now(), by: actor.clone(), event };
                Entry { record, changes }
            })
            .collect()
    }

    fn write(
        &mut self,
        entries: &[Entry],
        durability: Durability,
        restart_targets: &RestartTargets,
    ) -> Result<(), Error> {
        let all = self.unwritten.iter().chain(entries);
        let written = self.ledger.write(all.clone(), durability);
        written.map_err(|source| self.ledger.failed("write", source))?;
        restart_targets.update(&self.ledger, all.flat_map(|entry| &entry.changes));
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
    /// Waits for the next event, at most for the timeout. Events that are neither in memory nor in the ledger
    /// are skipped. A gap in the numbers shows it.
    pub fn next(&mut self, timeout: Duration) -> NextEvent {
        if let Some(record) = self.buffered.pop_front() {
            return self.advance(record);
        }
        let mut log = self.shared.log.lock();
        let first_kept = log.recent.front().map_or(log.next_seq, |record| record.seq);
        if self.next_seq < first_kept {
            // If the ledger cannot be read, continue with the events in memory. The numbers show the gap.
            let read = log.ledger.events(self.next_seq, None, READ_MAX).unwrap_or_default();
            self.buffered = read.into_iter().filter(|record| record.seq < first_kept).collect();
            if let Some(record) = self.buffered.pop_front() {
                drop(log);
                return self.advance(record);
            }
        }
        if log.next_seq <= self.next_seq && !log.closed {
            self.shared.changed.wait_while_for(
                &mut log,
                |log| log.next_seq <= self.next_seq && !log.closed,
                timeout,
            );
        }
        let found = log.recent.iter().find(|record| record.seq >= self.next_seq).cloned();
        let closed = log.closed;
        drop(log);
        match found {
            Some(record) => self.advance(record),
            None if closed => NextEvent::Closed,
            None => NextEvent::TimedOut,
        }
    }

    fn advance(&mut self, record: Record) -> NextEvent {
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
    fn event_numbers_have_no_gap_and_older_events_come_from_the_ledger() {
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
        assert_eq!(subscription.next(Duration::ZERO), NextEvent::TimedOut);
    }

    #[test]
    fn a_subscription_starts_at_a_number_waits_and_ends_when_the_log_closes() {
        let events = events();
        events.record_event(&Actor::Embedder, event(1));
        events.record_event(&Actor::Embedder, event(2));
        let mut subscription = events.from(2);
        assert!(matches!(subscription.next(Duration::ZERO), NextEvent::Event(Record { seq: 2, .. })));
        assert_eq!(subscription.next(Duration::ZERO), NextEvent::TimedOut);
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
