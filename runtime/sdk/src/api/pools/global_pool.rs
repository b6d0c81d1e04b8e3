//! rayon's global pool, in a form that ends with the module's value.
//!
//! rayon never ends its global pool, and offers no function that would. So each of its threads waits in its
//! start handler, in a call of [`ThreadPool::install`] of another pool: the keeper. A thread that waits so
//! runs the jobs of its own pool meanwhile, as rayon promises, so the pool works as usual. When the keeper's
//! job returns, so does the call, and the thread is in no job. There it ends.
//!
//! The keeper is an ordinary pool with one thread, which ends when it is dropped.

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder, Yield};

use super::{at_end, lock};
use segue_interface::Fault;

use crate::{api::host::Host, idle, interpose::thread_locals};

/// rayon's global pool of this version: see [`Host::pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    threads: usize,
}

/// What is known of the pool.
enum State {
    NotBuilt,
    Built(Pool),
    /// For ever: rayon takes one attempt only.
    Refused(String),
}

static STATE: Mutex<State> = Mutex::new(State::NotBuilt);

/// Whose job the pool's threads wait for; none before and after.
static KEEPER: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);

/// Whether the keeper's job is to return.
static IS_OVER: Mutex<bool> = Mutex::new(false);

/// Rung when it is.
static OVER: Condvar = Condvar::new();

// === impl Host ===

impl Host {
    /// Makes rayon's global pool of this version one that ends with the module's value. The first call starts
    /// it, with as many threads as rayon chooses (`RAYON_NUM_THREADS`, or the number of processors), and one
    /// that keeps them. Needs the feature `rayon`.
    ///
    /// Call it in `on_load`, before anything uses rayon. All of rayon then uses this pool, in this module
    /// and in the crates that it uses: `par_iter`, `join`, `scope` and `spawn`.
    ///
    /// The pool ends when the module's value has been dropped, so `Drop` can still use it. Jobs that are left
    /// by then are finished first. Nothing may use the pool afterwards: a thread that does waits until
    /// the runtime ends it, as it ends idle threads. A job of `rayon::spawn` that panics fails alone, and its
    /// message goes to the host's log; by itself, rayon would end the process.
    ///
    /// # Errors
    ///
    /// If something has used rayon before, if the system refuses a thread, and after the module's value has
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
            at_end(end)?;
            *state = build().map_or_else(State::Refused, State::Built);
        }
        match &*state {
            State::Built(pool) => Ok(*pool),
            State::Refused(reason) => Err(Fault::new(reason)),
            State::NotBuilt => unreachable!("it was built or refused, above"),
        }
    }
}

// === impl Pool ===

impl Pool {
    /// Runs `work` on a thread of the pool, and waits for it. A thread of another pool runs it itself.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| work())
    }

    /// How many threads it has.
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
        .map_err(|error| format!("could not start the thread that keeps rayon's pool: {error}"))?;
    *lock(&KEEPER) = Some(Arc::new(keeper));
    let mut threads = 0;
    let built = ThreadPoolBuilder::new()
        .thread_name(|index| format!("rayon-{index}"))
        .spawn_handler(|thread| start(thread).inspect(|()| threads += 1))
        .start_handler(|_| work_until_over())
        // The host is told; without a handler, rayon ends the process.
        .panic_handler(|payload| {
            segue_interface::__private::panicked(payload);
        })
        .build_global();
    match built {
        Ok(()) => Ok(Pool { threads }),
        Err(error) => {
            let_go();
            Err(if threads == 0 && std::error::Error::source(&error).is_none() {
                "rayon's global pool is in use already: call `host.pool()` first in `on_load`".to_owned()
            } else {
                format!("could not start the threads of rayon's pool: {error}")
            })
        }
    }
}

fn start(thread: ThreadBuilder) -> io::Result<()> {
    let name = thread.name().unwrap_or_default().to_owned();
    // Nobody joins it: the host knows it, and waits for it.
    thread::Builder::new().name(name).spawn(|| thread.run()).map(drop)
}

/// What a thread of the pool does, called by rayon before its own loop: that of the pool, and it ends. It
/// returns in a unit test only, and if the pool could not be built.
fn work_until_over() {
    let keeper = lock(&KEEPER).clone();
    if let Some(keeper) = keeper {
        keeper.install(wait_until_over);
    }
    // This thread is in no job now. What `rayon::spawn` has left is done first.
    while rayon::yield_now() == Some(Yield::Executed) {}
    // SAFETY: on this stack are the variables of rayon's loop and of `std`, which only this thread uses. Jobs
    // on it have been done, because each returns before the one that it has interrupted.
    unsafe { idle::end_this_thread(thread_locals::detach_thread) };
}

/// The job of the keeper.
fn wait_until_over() {
    let mut is_over = lock(&IS_OVER);
    while !*is_over {
        is_over = OVER.wait(is_over).unwrap_or_else(std::sync::PoisonError::into_inner);
    }
}

fn end() {
    *lock(&STATE) = State::Refused("rayon's pool has ended with the module's value".to_owned());
    let_go();
}

/// Lets all threads of the pool go. Those that have not come so far need no keeper.
fn let_go() {
    *lock(&IS_OVER) = true;
    OVER.notify_all();
    drop(lock(&KEEPER).take());
}
