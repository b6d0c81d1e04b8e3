//! Thread pools that end with the module's value: rayon's global pool, and a tokio runtime. Each is behind a
//! feature, so a module that needs neither stays small.
//!
//! A pool registers how it ends ([`on_end`]) only when the module starts it. So a module that uses neither
//! pool contains no code of them, even if another module of the same build enables the feature.

#[cfg(feature = "rayon")]
mod global_pool;
#[cfg(feature = "tokio")]
mod tokio_runtime;

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(feature = "rayon")]
pub use global_pool::Pool;
#[cfg(any(feature = "rayon", feature = "tokio"))]
use segue_interface::Fault;

/// The functions to call when the module's value has been dropped.
enum EndHooks {
    /// The value may still exist.
    Pending(Vec<fn()>),
    /// The value has been dropped, or was never made.
    Done,
}

static END_HOOKS: Mutex<EndHooks> = Mutex::new(EndHooks::Pending(Vec::new()));

/// Ends all pools. No pool can start afterwards.
pub(crate) fn end_all() {
    // The lock is released first: a hook may take another lock.
    let hooks = mem::replace(&mut *lock(&END_HOOKS), EndHooks::Done);
    if let EndHooks::Pending(hooks) = hooks {
        hooks.into_iter().for_each(|end| end());
    }
}

/// Registers `end` to be called once, when the module's value has been dropped.
///
/// # Errors
///
/// If the value has already been dropped.
#[cfg(any(feature = "rayon", feature = "tokio"))]
fn on_end(end: fn()) -> Result<(), Fault> {
    match &mut *lock(&END_HOOKS) {
        EndHooks::Pending(hooks) => {
            hooks.push(end);
            Ok(())
        }
        EndHooks::Done => Err(Fault::new("no pool can start: the module's value has already been dropped")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
