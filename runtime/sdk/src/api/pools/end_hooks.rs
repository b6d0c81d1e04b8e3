//! The functions that end the pools when the module's value has been dropped.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

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
pub(super) fn on_end(end: fn()) -> Result<(), Fault> {
    match &mut *lock(&END_HOOKS) {
        EndHooks::Pending(hooks) => {
            hooks.push(end);
            Ok(())
        }
        EndHooks::Done => Err(Fault::new("no pool can start: the module's value has already been dropped")),
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
