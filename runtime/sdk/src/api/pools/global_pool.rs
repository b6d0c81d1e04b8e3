//! rayon's global pool, in a form that ends with the module's value.
//!
//! rayon never ends its global pool and has no function to do so. So each thread of the pool, in its start
//! handler, calls [`ThreadPool::install`] of another pool, the keeper, and waits there. rayon guarantees that
//! a thread that waits in `install` runs jobs of its own pool in the meantime, so the global pool works as
//! usual. When the keeper's job returns, the call returns too. The thread is then in no job, and ends.
//!
//! The keeper is an ordinary pool with one thread. It ends when it is dropped.

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder, Yield};
use segue_interface::Fault;

use crate::{
    api::{
        host::Host,
        pools::end_hooks::{lock, on_end},
    },
    idle,
    interpose::thread_locals,
};

/// rayon's global pool of this version: see [`Host::pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    threads: usize,
}

enum State {
    NotBuilt,
    Built(Pool),
    /// The reason. Final, because rayon allows only one attempt.
    Refused(String),
}

static STATE: Mutex<State> = Mutex::new(State::NotBuilt);

/// The pool's threads wait for the job of this pool. `None` before the start and after the end.
static KEEPER: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);

/// Whether the keeper's job must return.
static IS_ENDING: Mutex<bool> = Mutex::new(false);

/// Notified when [`IS_ENDING`] becomes true.
static ENDING: Condvar = Condvar::new();

// === impl Host ===

impl Host {
    /// Starts rayon's global pool of this version in a form that ends with the module's value. rayon chooses
    /// the number of threads: `RAYON_NUM_THREADS`, or the number of processors. One more thread manages their
    /// end. Later calls return the same pool. Needs the feature `rayon`.
    ///
    /// Call it in `on_load`, before anything uses rayon. `par_iter`, `join`, `scope` and `spawn` then use
    /// this pool, in this module and in its dependencies.
    ///
    /// The pool ends after the module's value has been dropped, so `Drop` can still use it. Remaining jobs
    /// are finished first. Do not use the pool afterwards: a thread that does so waits until the runtime ends
    /// it as an idle thread. If a job of `rayon::spawn` panics, only that job fails, and the host logs the
    /// message. (Without this call, rayon would abort the process.)
    ///
    /// # Errors
    ///
    /// If something has already used rayon, if the system refuses a thread, and after the module's value has
    /// been dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use segue_sdk::{prelude::*, rayon::prelude::*, testing};
    ///
    /// struct Adder;
    ///
    /// impl Module for Adder {
    ///     fn on_load(host: &Host) -> Result<Self, Fault> {
    ///         host.pool()?;
    ///         Ok(Adder)
    ///     }
    ///
    ///     fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
    ///         let sum: u64 = (1..=1000).into_par_iter().sum();
    ///         reply.text(&sum.to_string());
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Fault> {
    /// assert_eq!(testing::load::<Adder>()?.get("/")?.text(), "500500");
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool(&self) -> Result<Pool, Fault> {
        let mut state = lock(&STATE);
        if let State::NotBuilt = &*state {
            on_end(end)?;
            *state = build().map_or_else(State::Refused, State::Built);
        }
        match &*state {
            State::Built(pool) => Ok(*pool),
            State::Refused(reason) => Err(Fault::new(reason)),
            State::NotBuilt => unreachable!("the pool was built or refused above"),
        }
    }
}

// === impl Pool ===

impl Pool {
    /// Runs `work` on a thread of the pool and waits for it. If the calling thread belongs to another pool,
    /// `work` runs on the calling thread.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| work())
    }

    /// The number of threads in the pool.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

// === impl ===

fn build() -> Result<Pool, String> {
    let keeper = ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "rayon-keeper".to_owned())
        .build()
        .map_err(|error| format!("could not start the keeper thread of rayon's pool: {error}"))?;
    *lock(&KEEPER) = Some(Arc::new(keeper));
    let mut threads = 0;
    let built = ThreadPoolBuilder::new()
        .thread_name(|index| format!("rayon-{index}"))
        .spawn_handler(|thread| start(thread).inspect(|()| threads += 1))
        .start_handler(|_| run_jobs_until_end())
        // Reports the panic to the host. Without a handler, rayon aborts the process.
        .panic_handler(|payload| {
            segue_interface::__private::panicked(payload);
        })
        .build_global();
    match built {
        Ok(()) => Ok(Pool { threads }),
        Err(error) => {
            release_threads();
            Err(if threads == 0 && std::error::Error::source(&error).is_none() {
                "rayon's global pool is already in use: call `host.pool()` first in `on_load`".to_owned()
            } else {
                format!("could not start the threads of rayon's pool: {error}")
            })
        }
    }
}

fn start(thread: ThreadBuilder) -> io::Result<()> {
    let name = thread.name().unwrap_or_default().to_owned();
    // It is not joined here: the host knows this thread and waits for it.
    thread::Builder::new().name(name).spawn(|| thread.run()).map(drop)
}

/// The start handler of a pool thread, which rayon calls before its own loop. It runs jobs until the pool
/// ends, and then ends the thread. It returns only in a unit test, or if the pool could not be built.
fn run_jobs_until_end() {
    let keeper = lock(&KEEPER).clone();
    if let Some(keeper) = keeper {
        keeper.install(wait_for_end);
    }
    // This thread is in no job now. It finishes the remaining jobs of `rayon::spawn` first.
    while rayon::yield_now() == Some(Yield::Executed) {}
    // SAFETY: this stack holds only variables of rayon's loop and of `std`, which no other thread uses. All
    // jobs that ran on it have returned, because each job returns before the one that it interrupted.
    unsafe { idle::end_this_thread(thread_locals::detach_thread) };
}

/// The job of the keeper.
fn wait_for_end() {
    let mut is_ending = lock(&IS_ENDING);
    while !*is_ending {
        is_ending = ENDING.wait(is_ending).unwrap_or_else(std::sync::PoisonError::into_inner);
    }
}

fn end() {
    *lock(&STATE) = State::Refused("rayon's pool has ended: the module's value has been dropped".to_owned());
    release_threads();
}

/// Lets all threads of the pool end. A thread that has not reached the keeper yet does not need it any more.
fn release_threads() {
    *lock(&IS_ENDING) = true;
    ENDING.notify_all();
    drop(lock(&KEEPER).take());
}
