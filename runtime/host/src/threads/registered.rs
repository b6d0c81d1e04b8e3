//! Threads of the host that take part in purges: what an old version left on them is destroyed on them.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;
use segue_core::ThreadId;
use segue_interface::VersionId;

use crate::module::version::Version;

/// How long a purge waits for a resident to run its errand. One that does not come in time has what it keeps for the
/// version dropped without running, and counted.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same for a resident that has been inside one call, of another version, for as long: that may take much longer, and
/// the memory of the version that leaves is not to wait for it.
const PATIENCE_WITH_BUSY: Duration = Duration::from_millis(50);

/// How often is looked whether those that are waited for are busy.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A thread that looks in now and then, so that a purge can have a module's thread-locals destroyed on it.
///
/// A thread-local that module code made on a thread must be destroyed on that thread, before the module's image goes. Of
/// a thread that is no resident, thread-locals are destroyed when it ends or makes another call; where it does neither in
/// time, they are dropped without running, and counted. So threads that live long and call modules should be residents:
///
/// ```no_run
/// # fn serve(runtime: segue::Runtime, jobs: crossbeam_channel::Receiver<Box<dyn FnOnce() + Send>>) {
/// let registered_thread = runtime.registered_thread();
/// loop {
///     crossbeam_channel::select_biased! {
///         recv(registered_thread.inbox()) -> errand => if let Ok(errand) = errand {
///             errand.run();
///         },
///         recv(jobs) -> job => match job {
///             Ok(job) => job(), // calls modules
///             Err(_) => break,
///         },
///     }
/// }
/// # }
/// ```
pub struct RegisteredThread {
    registered: Arc<RegisteredThreads>,
    id: ThreadId,
    entry: Arc<Entry>,
    inbox: Receiver<CleanupTask>,
    /// It is about the thread that made it.
    not_send: PhantomData<*const ()>,
}

/// Something that a purge asks of a thread. Run it soon, outside of any call; or drop it, and the purge goes on.
pub struct CleanupTask {
    /// Weak: a purge that has waited long enough goes on without it.
    version: Weak<Version>,
    generation: u64,
    thread: ThreadId,
    done: Sender<ThreadId>,
}

/// Notes, while it exists, that a call goes on.
pub struct RunningCall<'a> {
    entry: &'a Entry,
}

/// The residents of one runtime.
#[derive(Default)]
pub(crate) struct RegisteredThreads {
    /// A thread may be a resident more than once: by a library that it runs, and by itself.
    by_thread: Mutex<HashMap<ThreadId, Vec<Listed>>>,
}

/// A resident, as purges see it.
struct Listed {
    outbox: Sender<CleanupTask>,
    entry: Arc<Entry>,
}

/// What is known of one resident.
struct Entry {
    call: Mutex<Option<Call>>,
}

/// A call that a resident is in, as pins tell it.
pub(crate) struct KnownCall {
    pub(crate) thread: ThreadId,
    pub(crate) what: String,
    pub(crate) ms: u64,
}

/// The call that a resident is in.
struct Call {
    generation: u64,
    what: String,
    since: Instant,
}

// === impl Resident ===

impl RegisteredThread {
    pub(crate) fn new(registered: Arc<RegisteredThreads>) -> Self {
        let (outbox, inbox) = unbounded();
        let id = ThreadId::current();
        let entry = Arc::new(Entry { call: Mutex::new(None) });
        let listed = Listed { outbox, entry: entry.clone() };
        registered.by_thread.lock().entry(id).or_default().push(listed);
        RegisteredThread { registered, id, entry, inbox, not_send: PhantomData }
    }

    /// What purges ask of this thread. Select on it beside the thread's own queue, and run what comes.
    pub fn inbox(&self) -> &Receiver<CleanupTask> {
        &self.inbox
    }

    /// Notes that this thread's call of a version began now, so that [`VersionStatus::oldest_ms`](crate::VersionStatus::oldest_ms) and
    /// the list of pins can tell of it; until the answer is dropped.
    pub fn note_call<'a>(&'a self, version: &VersionId, what: impl FnOnce() -> String) -> RunningCall<'a> {
        let call = Call { generation: version.generation, what: what(), since: Instant::now() };
        *self.entry.call.lock() = Some(call);
        RunningCall { entry: &self.entry }
    }
}

impl Drop for RegisteredThread {
    fn drop(&mut self) {
        let mut by_thread = self.registered.by_thread.lock();
        if let Some(listed) = by_thread.get_mut(&self.id) {
            listed.retain(|listed| !Arc::ptr_eq(&listed.entry, &self.entry));
            if listed.is_empty() {
                by_thread.remove(&self.id);
            }
        }
    }
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        *self.entry.call.lock() = None;
    }
}

// === impl Errand ===

impl CleanupTask {
    pub(crate) fn new(version: &Arc<Version>, thread: ThreadId, done: Sender<ThreadId>) -> Self {
        let generation = version.info.id.generation;
        CleanupTask { version: Arc::downgrade(version), generation, thread, done }
    }

    /// Whether it is about the version of this generation.
    pub(crate) fn is_of(&self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Destroys what the calling thread has left in the version that leaves.
    pub fn run(self) {
        let CleanupTask { version, thread, done, .. } = self;
        let Some(version) = version.upgrade() else { return };
        version.image.detach_thread();
        // Before it is told: the purge wants to be the only owner.
        drop(version);
        // Fails where the purge did not wait so long.
        let _ = done.send(thread);
    }
}

// === impl Entry ===

impl Entry {
    /// How long to wait for a resident that is at what it is at now.
    fn patience(&self) -> Duration {
        let is_busy = self.call.lock().as_ref().is_some_and(|call| call.since.elapsed() > PATIENCE_WITH_BUSY);
        if is_busy { PATIENCE_WITH_BUSY } else { PATIENCE }
    }
}

// === impl Residents ===

impl RegisteredThreads {
    /// Has the residents among these threads destroy what they have left in a version that nobody enters any more, and
    /// waits for them.
    pub(crate) fn clean_up(&self, visitors: &[ThreadId], version: &Arc<Version>) {
        let (done, is_done) = unbounded();
        let sent = Instant::now();
        let mut awaited = HashMap::new();
        {
            let by_thread = self.by_thread.lock();
            let listed_of = |id: &ThreadId| by_thread.get(id).into_iter().flatten();
            for (id, listed) in visitors.iter().flat_map(|id| listed_of(id).map(|listed| (*id, listed))) {
                let errand = CleanupTask::new(version, id, done.clone());
                // Fails where the resident has just ended: then it has destroyed everything.
                if listed.outbox.send(errand).is_ok() {
                    awaited.insert(id, listed.entry.clone());
                }
            }
        }
        drop(done);
        while !awaited.is_empty() {
            match is_done.recv_timeout(LOOK_EVERY) {
                Ok(id) => drop(awaited.remove(&id)),
                Err(RecvTimeoutError::Timeout) => {
                    awaited.retain(|_, entry| sent.elapsed() < entry.patience())
                }
                // Those that are left were dropped: their residents have ended.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    /// Those of these threads that are no residents.
    pub(crate) fn unregistered(&self, threads: &[ThreadId]) -> Vec<ThreadId> {
        let by_thread = self.by_thread.lock();
        threads.iter().filter(|thread| !by_thread.contains_key(thread)).copied().collect()
    }

    /// How long the oldest known call of this generation has been inside.
    pub(crate) fn oldest_ms(&self, generation: u64) -> Option<u64> {
        self.calls_of(generation, |_, call| call.since).into_iter().min().map(|since| millis(since.elapsed()))
    }

    /// The known calls of this generation.
    pub(crate) fn calls(&self, generation: u64) -> Vec<KnownCall> {
        self.calls_of(generation, |thread, call| KnownCall {
            thread,
            what: call.what.clone(),
            ms: millis(call.since.elapsed()),
        })
    }

    fn calls_of<R>(&self, generation: u64, tell: impl Fn(ThreadId, &Call) -> R) -> Vec<R> {
        let by_thread = self.by_thread.lock();
        let tell = |(thread, listed): (ThreadId, &Listed)| {
            let call = listed.entry.call.lock();
            call.as_ref().filter(|call| call.generation == generation).map(|call| tell(thread, call))
        };
        let all = by_thread.iter().flat_map(|(thread, of)| of.iter().map(|listed| (*thread, listed)));
        all.filter_map(tell).collect()
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
