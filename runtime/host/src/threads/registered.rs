//! Threads of the host that take part in purges. A purge asks such a thread to destroy what an old version
//! left on it.

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

use crate::{clock::millis, module::version::Version};

/// How long a purge waits for a registered thread to run its cleanup task. After that the purge drops, and
/// counts, what the thread keeps for the version.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(1);

/// The same for a thread that has been inside one call for at least this long. The call is of another version
/// and may take much longer. The purge must not wait for it.
const BUSY_CLEANUP_TIMEOUT: Duration = Duration::from_millis(50);

/// How often a purge checks whether the threads that it waits for are busy.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A registered thread: purges send it cleanup tasks, and it runs them between calls.
///
/// If module code created a thread-local on a thread, that thread must destroy it before the module's image
/// is unmapped. A registered thread does so when a purge asks. Any other thread does so when it ends or makes
/// another call. If it does neither in time, the purge drops its thread-locals without running their
/// destructors, and counts them. So register threads that live long and call modules:
///
/// ```no_run
/// # fn serve(runtime: segue::Runtime, jobs: crossbeam_channel::Receiver<Box<dyn FnOnce() + Send>>) {
/// let registered_thread = runtime.register_thread();
/// loop {
///     crossbeam_channel::select_biased! {
///         recv(registered_thread.inbox()) -> task => if let Ok(task) = task {
///             task.run();
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
    entry: Arc<ThreadEntry>,
    inbox: Receiver<CleanupTask>,
    /// Must stay on the thread that created it.
    not_send: PhantomData<*const ()>,
}

/// What a purge asks a thread to do. Run it soon, outside of any call. If you drop it, the purge continues
/// without it.
pub struct CleanupTask {
    /// Weak, so a purge that stopped waiting can go on.
    version: Weak<Version>,
    generation: u64,
    thread: ThreadId,
    done: Sender<ThreadId>,
}

/// Marks a call as running until it is dropped.
pub struct RunningCall<'a> {
    entry: &'a ThreadEntry,
}

/// The registered threads of one runtime.
#[derive(Default)]
pub(crate) struct RegisteredThreads {
    /// A thread may be registered more than once: by itself, and by a library that it runs.
    by_thread: Mutex<HashMap<ThreadId, Vec<Registration>>>,
}

/// One registration of a thread.
struct Registration {
    outbox: Sender<CleanupTask>,
    entry: Arc<ThreadEntry>,
}

/// The state of one registered thread.
struct ThreadEntry {
    call: Mutex<Option<Call>>,
}

/// A call that a registered thread is inside, for pins.
pub(crate) struct KnownCall {
    pub(crate) thread: ThreadId,
    pub(crate) what: String,
    pub(crate) ms: u64,
}

/// The call that a registered thread is inside.
struct Call {
    generation: u64,
    what: String,
    since: Instant,
}

// === impl RegisteredThread ===

impl RegisteredThread {
    pub(crate) fn new(registered: Arc<RegisteredThreads>) -> Self {
        let (outbox, inbox) = unbounded();
        let id = ThreadId::current();
        let entry = Arc::new(ThreadEntry { call: Mutex::new(None) });
        let registration = Registration { outbox, entry: entry.clone() };
        registered.by_thread.lock().entry(id).or_default().push(registration);
        RegisteredThread { registered, id, entry, inbox, not_send: PhantomData }
    }

    /// The tasks that purges send to this thread. Select on it next to your own queue, and run each task.
    pub fn inbox(&self) -> &Receiver<CleanupTask> {
        &self.inbox
    }

    /// Notes that this thread's call of a version begins now.
    /// [`VersionStatus::oldest_ms`](crate::VersionStatus::oldest_ms) and the list of pins show the call until
    /// you drop the answer.
    pub fn note_call<'a>(&'a self, version: &VersionId, what: impl FnOnce() -> String) -> RunningCall<'a> {
        let call = Call { generation: version.generation, what: what(), since: Instant::now() };
        *self.entry.call.lock() = Some(call);
        RunningCall { entry: &self.entry }
    }
}

impl Drop for RegisteredThread {
    fn drop(&mut self) {
        let mut by_thread = self.registered.by_thread.lock();
        if let Some(registrations) = by_thread.get_mut(&self.id) {
            registrations.retain(|registration| !Arc::ptr_eq(&registration.entry, &self.entry));
            if registrations.is_empty() {
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

// === impl CleanupTask ===

impl CleanupTask {
    pub(crate) fn new(version: &Arc<Version>, thread: ThreadId, done: Sender<ThreadId>) -> Self {
        let generation = version.info.id.generation;
        CleanupTask { version: Arc::downgrade(version), generation, thread, done }
    }

    /// Whether the task concerns the version of this generation.
    pub(crate) fn is_for(&self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Destroys the calling thread's thread-locals of the version that is being unloaded.
    pub fn run(self) {
        let CleanupTask { version, thread, done, .. } = self;
        let Some(version) = version.upgrade() else { return };
        version.image.detach_thread();
        // Before `send`: the purge must become the only owner.
        drop(version);
        // Fails if the purge has stopped waiting.
        let _ = done.send(thread);
    }
}

// === impl ThreadEntry ===

impl ThreadEntry {
    /// How long a purge waits for this thread, given what it does now.
    fn cleanup_timeout(&self) -> Duration {
        let is_busy =
            self.call.lock().as_ref().is_some_and(|call| call.since.elapsed() > BUSY_CLEANUP_TIMEOUT);
        if is_busy { BUSY_CLEANUP_TIMEOUT } else { CLEANUP_TIMEOUT }
    }
}

// === impl RegisteredThreads ===

impl RegisteredThreads {
    /// Sends a cleanup task to each of these threads that is registered, and waits for them. No call may be
    /// inside the version.
    pub(crate) fn clean_up(&self, threads: &[ThreadId], version: &Arc<Version>) {
        let (done, completed) = unbounded();
        let sent = Instant::now();
        let mut awaited = HashMap::new();
        {
            let by_thread = self.by_thread.lock();
            let registrations = |id: &ThreadId| by_thread.get(id).into_iter().flatten();
            let all = threads.iter().flat_map(|id| registrations(id).map(|registration| (*id, registration)));
            for (id, registration) in all {
                let task = CleanupTask::new(version, id, done.clone());
                // Fails if the thread has just ended. Then it has destroyed everything.
                if registration.outbox.send(task).is_ok() {
                    awaited.insert(id, registration.entry.clone());
                }
            }
        }
        drop(done);
        while !awaited.is_empty() {
            match completed.recv_timeout(POLL_INTERVAL) {
                Ok(id) => drop(awaited.remove(&id)),
                Err(RecvTimeoutError::Timeout) => {
                    awaited.retain(|_, entry| sent.elapsed() < entry.cleanup_timeout())
                }
                // The remaining tasks were dropped because their threads have ended.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    /// Those of these threads that are not registered.
    pub(crate) fn unregistered(&self, threads: &[ThreadId]) -> Vec<ThreadId> {
        let by_thread = self.by_thread.lock();
        threads.iter().filter(|thread| !by_thread.contains_key(thread)).copied().collect()
    }

    /// The age of the oldest known call of this generation.
    pub(crate) fn oldest_ms(&self, generation: u64) -> Option<u64> {
        self.map_calls(generation, |_, call| call.since)
            .into_iter()
            .min()
            .map(|since| millis(since.elapsed()))
    }

    /// The known calls of this generation.
    pub(crate) fn calls(&self, generation: u64) -> Vec<KnownCall> {
        self.map_calls(generation, |thread, call| KnownCall {
            thread,
            what: call.what.clone(),
            ms: millis(call.since.elapsed()),
        })
    }

    fn map_calls<R>(&self, generation: u64, map: impl Fn(ThreadId, &Call) -> R) -> Vec<R> {
        let by_thread = self.by_thread.lock();
        let map_one = |(thread, registration): (ThreadId, &Registration)| {
            let call = registration.entry.call.lock();
            call.as_ref().filter(|call| call.generation == generation).map(|call| map(thread, call))
        };
        let all =
            by_thread.iter().flat_map(|(thread, all)| all.iter().map(|registration| (*thread, registration)));
        all.filter_map(map_one).collect()
    }
}
