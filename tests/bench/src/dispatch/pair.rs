//! Two threads that call at the same time: the one that measures, and a helper.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, Scope},
    time::Duration,
};

use super::{
    start::Start,
    way::{Stretch, Way},
};
use crate::Error;

/// Calls before the clock starts: a thread's first entry, and cold caches, are not what is measured.
const WARM_UP: u64 = 1_000;

/// The calling thread, and one beside it that waits, without a processor, until it is needed.
pub(super) struct Pair<'a> {
    ways: &'a [Box<dyn Way + 'a>],
    jobs: SyncSender<Job>,
    done: Receiver<Stretch>,
    start: Arc<Start>,
}

struct Job {
    way: usize,
    calls: u64,
}

// === impl Pair ===

impl<'a> Pair<'a> {
    /// Starts the helper. It ends with this value.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        ways: &'a [Box<dyn Way + 'a>],
    ) -> io::Result<Self>
    where
        'a: 'scope,
    {
        let start = Arc::new(Start::of(2));
        let (jobs, to_do) = sync_channel::<Job>(1);
        let (tell, done) = sync_channel(1);
        let meet = Arc::clone(&start);
        thread::Builder::new().name("helper".to_owned()).spawn_scoped(scope, move || {
            for Job { way, calls } in to_do {
                ways[way].time(WARM_UP);
                meet.meet();
                if tell.send(ways[way].time(calls)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Pair { ways, jobs, done, start })
    }

    /// What so many calls of one way take on this thread alone.
    pub(super) fn time_alone(&self, way: usize, calls: u64) -> Duration {
        self.ways[way].time(WARM_UP);
        self.ways[way].time(calls).took()
    }

    /// What so many calls of one way take on two threads each, from the first one's beginning to the last one's end. So
    /// threads that had one processor between them, and called one after the other, have not called twice as fast.
    pub(super) fn time_both(&self, way: usize, calls: u64) -> Result<Duration, Error> {
        self.jobs.send(Job { way, calls }).map_err(|_| Error::Panicked)?;
        self.ways[way].time(WARM_UP);
        self.start.meet();
        let mine = self.ways[way].time(calls);
        let others = self.done.recv().map_err(|_| Error::Panicked)?;
        Ok(mine.and(others).took())
    }
}
