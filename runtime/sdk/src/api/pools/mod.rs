//! Threads that end with the module's value: rayon's global pool and a tokio runtime. Each is behind a
//! feature, so a small module stays small.
//!
//! What is used says how it ends ([`at_end`]). A module that uses neither has nothing of them in its file,
//! even if another module of the same build enables the feature.

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

/// What is called when the module's value has been dropped.
enum Ends {
    /// The value may still be there.
    Ahead(Vec<fn()>),
    /// The value has been dropped, or was never made.
    Over,
}

static ENDS: Mutex<Ends> = Mutex::new(Ends::Ahead(Vec::new()));

/// Ends what has said how it ends. Nothing can begin afterwards.
pub(crate) fn end_all() {
    // Not called under the lock: an end may take another lock.
    if let Ends::Ahead(ends) = mem::replace(&mut *lock(&ENDS), Ends::Over) {
        ends.into_iter().for_each(|end| end());
    }
}

/// Has `end` called once when the module's value has been dropped.
///
/// # Errors
///
/// If the value has been dropped already.
#[cfg(any(feature = "rayon", feature = "tokio"))]
fn at_end(end: fn()) -> Result<(), segue_interface::Fault> {
    match &mut *lock(&ENDS) {
        Ends::Ahead(ends) => {
            ends.push(end);
            Ok(())
        }
        Ends::Over => {
            Err(segue_interface::Fault::new("the module's value has been dropped, so no pool can start"))
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
