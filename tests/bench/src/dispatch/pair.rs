//! Two threads that call at the same time: the measuring one and a helper.

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
    start::StartLine,
    way::{Interval, Way},
};
use crate::Error;

/// Calls before the clock starts, so a thread's first entry and cold caches do not count.
const WARM_UP: u64 = 1_000;

/// The measuring thread and its helper, which sleeps until it gets a job.
pub(super) struct Pair<'a> {
    ways: &'a [Box<dyn Way + 'a>],
    jobs: SyncSender<Job>,
    done: Receiver<Interval>,
    start: Arc<StartLine>,
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
        let start = Arc::new(StartLine::for_threads(2));
        let (jobs, job_queue) = sync_channel::<Job>(1);
        let (results, done) = sync_channel(1);
        let helper_start = Arc::clone(&start);
        thread::Builder::new().name("helper".to_owned()).spawn_scoped(scope, move || {
            for Job { way, calls } in job_queue {
                ways[way].time(WARM_UP);
                helper_start.wait();
                if results.send(ways[way].time(calls)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Pair { ways, jobs, done, start })
    }

    /// Returns how long `calls` calls of one way take on this thread alone.
    pub(super) fn time_alone(&self, way: usize, calls: u64) -> Duration {
        self.ways[way].time(WARM_UP);
        self.ways[way].time(calls).duration()
    }

    /// Returns how long `calls` calls of one way on each of two threads take, from the first start to the
    /// last end. So two threads that had to share a processor do not appear twice as fast.
    pub(super) fn time_both(&self, way: usize, calls: u64) -> Result<Duration, Error> {
        self.jobs.send(Job { way, calls }).map_err(|_| Error::Panicked)?;
        self.ways[way].time(WARM_UP);
        self.start.wait();
        let mine = self.ways[way].time(calls);
        let others = self.done.recv().map_err(|_| Error::Panicked)?;
        Ok(mine.union(others).duration())
    }
}
