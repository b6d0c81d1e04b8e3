//! The panic hook of this image: the SDK's hook, which wraps the module's hook if the module has set one.
//!
//! `std` has no notification for a replaced hook. But it drops the replaced hook, after it has released its
//! lock. So the SDK's hook has a destructor, which wraps the new hook. A module that takes the SDK's hook
//! with `take_hook` and keeps it without calling it bypasses this. The next call that panics reveals that:
//! its payload arrives, but the hook has reported nothing.

use std::{
    cell::Cell,
    panic::{self, PanicHookInfo},
    sync::{Mutex, PoisonError},
    thread,
};

use crate::log::panic_report;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The SDK's hook.
struct SdkHook {
    /// The module's hook.
    inner: Option<Hook>,
}

/// The addresses of the SDK's hooks. There are several if the module keeps an earlier one, or if its hook
/// calls one.
static ADDRESSES: Mutex<Vec<usize>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether the SDK's hook is running on this thread. Without a destructor, so its use registers none.
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Wraps the current hook in the SDK's hook, unless the current hook is the SDK's.
pub(crate) fn install() {
    if thread::panicking() {
        // `std` does not allow changes to the hook on a thread that panics.
        return;
    }
    let hook = panic::take_hook();
    if is_sdk_hook(&hook) {
        panic::set_hook(hook);
    } else {
        let inner = Some(hook).filter(|hook| !is_standard(hook));
        panic::set_hook(SdkHook { inner }.into_hook());
    }
}

fn is_sdk_hook(hook: &Hook) -> bool {
    ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner).contains(&address(&**hook))
}

/// Whether this is the standard hook, which would print without module and version. `take_hook` returns the
/// standard hook here, because the caller has already taken the current one.
fn is_standard(hook: &Hook) -> bool {
    let standard = panic::take_hook();
    // If this comparison were wrong, the only effect would be that the standard hook prints as well.
    std::ptr::eq(&raw const **hook, &raw const *standard)
}

fn address<T: ?Sized>(value: &T) -> usize {
    (&raw const *value).cast::<()>().addr()
}

// === impl SdkHook ===

impl SdkHook {
    fn into_hook(self) -> Hook {
        // The closure captures only `self`, so both have the same address, by which `drop` finds its entry.
        let hook: Hook = Box::new(move |info| self.run(info));
        ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner).push(address(&*hook));
        hook
    }

    fn run(&self, info: &PanicHookInfo<'_>) {
        // The module's hook may call an earlier hook of the SDK. Each panic is reported once.
        if !IS_RUNNING.replace(true) {
            panic_report::report(info);
            if let Some(inner) = &self.inner {
                inner(info);
            }
            IS_RUNNING.set(false);
        } else if let Some(inner) = &self.inner {
            inner(info);
        }
    }
}

impl Drop for SdkHook {
    fn drop(&mut self) {
        let own = address(self);
        ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner).retain(|address| *address != own);
        install();
    }
}
