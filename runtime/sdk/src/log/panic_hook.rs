//! The panic hook of this image: the SDK's own, around the module's, if it has one.
//!
//! `std` does not say when a hook is replaced. But it drops the one that was there, and it has given back its
//! lock by then. So the SDK's hook has a destructor, which puts it around the new one. A module that takes it
//! (`take_hook`) and keeps it without calling it escapes this. Then a call that panics shows it: its payload
//! arrives, and the hook has told nothing.

use std::{
    cell::Cell,
    panic::{self, PanicHookInfo},
    sync::{Mutex, PoisonError},
    thread,
};

use crate::log::panic_report;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The SDK's hook.
struct Ours {
    /// The module's.
    inner: Option<Hook>,
}

/// Where the SDK's hooks are. More than one if the module keeps an earlier one, or its hook calls one.
static ADDRESSES: Mutex<Vec<usize>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether the SDK's hook runs on this thread. Without a destructor: using it registers nothing.
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

/// Puts the SDK's hook around what is there, if it is the module's own.
pub(crate) fn restore() {
    if thread::panicking() {
        // `std` lets nobody touch the hook now.
        return;
    }
    let hook = panic::take_hook();
    if is_ours(&hook) {
        panic::set_hook(hook);
    } else {
        let inner = Some(hook).filter(|hook| !is_standard(hook));
        panic::set_hook(Ours { inner }.into_hook());
    }
}

fn is_ours(hook: &Hook) -> bool {
    ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner).contains(&address(&**hook))
}

/// Whether it is the standard hook, which would print without module and version. It is what `std` answers
/// with now, since the caller has taken what was there.
fn is_standard(hook: &Hook) -> bool {
    let standard = panic::take_hook();
    // A wrong answer would only let the standard hook print, too.
    std::ptr::eq(&raw const **hook, &raw const *standard)
}

fn address<T: ?Sized>(of: &T) -> usize {
    (&raw const *of).cast::<()>().addr()
}

// === impl Ours ===

impl Ours {
    fn into_hook(self) -> Hook {
        // All that the closure has is `self`, so both are at one address, by which `drop` knows itself.
        let hook: Hook = Box::new(move |info| self.run(info));
        ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner).push(address(&*hook));
        hook
    }

    fn run(&self, info: &PanicHookInfo<'_>) {
        // The module's hook may call an earlier one of the SDK's: the host is told once.
        if !RUNS.replace(true) {
            panic_report::tell(info);
            if let Some(inner) = &self.inner {
                inner(info);
            }
            RUNS.set(false);
        } else if let Some(inner) = &self.inner {
            inner(info);
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let here = address(self);
        ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner).retain(|ours| *ours != here);
        restore();
    }
}
