//! What happened, in order and numbered. This is the only place where events are named.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use crate::{ErrorObject, Pin, VersionId};

/// How many events are kept for those who ask later; older ones are forgotten.
const KEPT_MAX: usize = 4096;

/// One event with its number and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the events of this runtime from 1, without a gap.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened to a module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A new version is current.
    Loaded {
        /// The module.
        module: String,
        /// What is current now.
        current: VersionId,
        /// What was current before.
        replaced: Option<VersionId>,
        /// Where the file came from.
        source: String,
        /// How long the load took, in microseconds.
        took_us: u64,
    },
    /// A file was offered that is current already.
    Unchanged {
        /// The module.
        module: String,
        /// What is current.
        current: VersionId,
        /// Where the file came from.
        source: String,
    },
    /// A file was refused, and nothing has changed.
    Refused {
        /// The file.
        source: String,
        /// Why.
        error: ErrorObject,
    },
    /// Old is current again.
    RolledBack {
        /// The module.
        module: String,
        /// What is current now.
        current: VersionId,
        /// What was current before, and is old now.
        old: VersionId,
    },
    /// An old version has left memory.
    Purged {
        /// The module.
        module: String,
        /// What left.
        old: VersionId,
        /// From becoming old to the last call's end, in microseconds.
        drain_us: u64,
        /// From the last call's end to being out of memory, in microseconds.
        purge_us: u64,
        /// The memory that it had not freed, in bytes. It was freed with it.
        leaked_bytes: u64,
        /// Destructors of thread-locals that did not run, since their threads were not at hand.
        destructors_dropped: u64,
    },
    /// A version is not in use any more, or never was, and cannot be taken out of memory now. It is quarantined; where what
    /// keeps it goes, it still leaves, which is told as `purged`.
    Retained {
        /// The module.
        module: String,
        /// What stays.
        old: VersionId,
        /// What keeps it.
        pins: Vec<Pin>,
    },
    /// The modules directory cannot be read or watched at the moment.
    WatchFailed {
        /// The modules directory.
        directory: String,
        /// Why.
        reason: String,
    },
}

/// The events of one runtime.
#[derive(Clone)]
pub struct Events {
    shared: Arc<Shared>,
}

struct Shared {
    log: Mutex<Log>,
    /// Rung for each new event, and when the log is closed.
    news: Condvar,
}

struct Log {
    /// The number that the next event gets.
    next_seq: u64,
    kept: VecDeque<Record>,
    closed: bool,
}

/// What a [`Subscription`] has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The next event.
    Event(Record),
    /// Nothing happened in the time given.
    Quiet,
    /// Nothing will happen any more.
    Closed,
}

/// Reads events one after the other, from a number on.
pub struct Subscription {
    shared: Arc<Shared>,
    next_seq: u64,
}

// === impl Events ===

impl Events {
    pub(crate) fn new() -> Self {
        let log = Log { next_seq: 1, kept: VecDeque::new(), closed: false };
        Events { shared: Arc::new(Shared { log: Mutex::new(log), news: Condvar::new() }) }
    }

    pub(crate) fn push(&self, event: Event) {
        let mut log = self.shared.log.lock();
        let record = Record { seq: log.next_seq, at: Timestamp::now(), event };
        log.next_seq += 1;
        if log.kept.len() == KEPT_MAX {
            log.kept.pop_front();
        }
        log.kept.push_back(record);
        self.shared.news.notify_all();
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        self.shared.log.lock().closed = true;
        self.shared.news.notify_all();
    }

    /// Reads from this number on: 0 or 1 for everything that is still kept.
    pub fn from(&self, seq: u64) -> Subscription {
        Subscription { shared: self.shared.clone(), next_seq: seq.max(1) }
    }

    /// Reads what happens from now on.
    pub fn from_now(&self) -> Subscription {
        let next_seq = self.shared.log.lock().next_seq;
        Subscription { shared: self.shared.clone(), next_seq }
    }

    /// What is kept, from this number on.
    pub fn kept(&self, seq: u64) -> Vec<Record> {
        self.shared.log.lock().kept.iter().filter(|record| record.seq >= seq).cloned().collect()
    }
}

impl Subscription {
    /// The next event, where one comes in this time. Events that were forgotten meanwhile are skipped; the numbers tell.
    pub fn next(&mut self, patience: Duration) -> Next {
        let mut log = self.shared.log.lock();
        if log.next_seq <= self.next_seq && !log.closed {
            self.shared.news.wait_while_for(
                &mut log,
                |log| log.next_seq <= self.next_seq && !log.closed,
                patience,
            );
        }
        match log.kept.iter().find(|record| record.seq >= self.next_seq) {
            Some(record) => {
                self.next_seq = record.seq + 1;
                Next::Event(record.clone())
            }
            None if log.closed => Next::Closed,
            None => Next::Quiet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Event {
        Event::WatchFailed { directory: n.to_string(), reason: String::new() }
    }

    #[test]
    fn numbers_have_no_gap_and_old_events_are_forgotten() {
        let events = Events::new();
        for n in 0..KEPT_MAX + 10 {
            events.push(event(n));
        }
        let kept = events.kept(0);
        assert_eq!(kept.len(), KEPT_MAX);
        assert_eq!(kept[0].seq, 11);
        assert!(kept.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    }

    #[test]
    fn a_subscription_resumes_waits_and_ends() {
        let events = Events::new();
        events.push(event(1));
        events.push(event(2));
        let mut subscription = events.from(2);
        assert!(matches!(subscription.next(Duration::ZERO), Next::Event(Record { seq: 2, .. })));
        assert_eq!(subscription.next(Duration::ZERO), Next::Quiet);
        let later = events.clone();
        let pusher = std::thread::spawn(move || later.push(event(3)));
        assert!(matches!(subscription.next(Duration::from_secs(10)), Next::Event(Record { seq: 3, .. })));
        pusher.join().unwrap();
        events.close();
        assert_eq!(subscription.next(Duration::from_secs(10)), Next::Closed);
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let record = Record { seq: 7, at: Timestamp::UNIX_EPOCH, event: event(1) };
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["event"], "watch_failed");
        assert_eq!(json["seq"], 7);
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
    }
}
