//! Ends threads of this image that would wait for ever, such as those of a global pool.
//! Put a line here if it ends such a thread, or replaces a libc function that waits or blocks signals.
//! This room must never use `export`, `testing`, `api`, `log` or `interpose`.
//!
//! Some time after the module's value has been dropped, threads may remain that wait for work which will
//! never come. Their code must stay in memory while they wait. So each function that waits in this image (for
//! a mutex, a condition, a sleep, a socket) goes through [`wait`], which records it. The host then calls
//! [`end_idle_threads`]. If **every** thread of the image waits, each of them abandons its functions
//! ([`abandon`]) and ends. Their variables are not dropped.
//!
//! All threads must wait at the same time, because a running thread may use variables of a waiting one
//! (`std::thread::scope`). So the threads are held first, one after the other: a held thread that stops
//! waiting stays in [`wait`]. If one thread is running, all held threads are released, and none of them has
//! noticed anything.
//!
//! No thread abandons its functions before all of them have returned from the call in which they waited
//! ([`Barrier`](state::Barrier)). Until then, libc may use a condition on the stack of another thread. If a
//! thread does not return from its call, all threads stay, and the image stays in memory.

mod abandon;
mod blocking_calls;
mod cancel;
mod conditions;
mod end_idle;
mod futex;
mod held_mutexes;
mod joins;
mod masks;
mod run;
mod semaphores;
mod signal_waits;
mod state;
mod thread;
mod wait;

pub(crate) use abandon::StartRoutine;
pub(crate) use cancel::wait_cancellable;
pub(crate) use end_idle::end_idle_threads;
pub(crate) use joins::{ExitFlag, detach_unjoined, record_joinable};
pub(crate) use masks::set_wake_signal;
#[cfg(feature = "rayon")]
pub(crate) use run::end_this_thread;
pub(crate) use run::{any_ended_early, may_run_destructors, run, run_unknown};
pub(crate) use thread::KNOWN_THREADS;

/// The functions that replace those of libc with the same names.
pub(crate) mod replacements {
    pub use super::{
        blocking_calls::*,
        cancel::{pthread_cancel, pthread_exit, thrd_exit},
        conditions::*,
        joins::{pthread_detach, pthread_join, thrd_join},
        masks::{pthread_sigmask, sigprocmask},
        semaphores::*,
        signal_waits::*,
    };
}

#[cfg(test)]
mod tests;
