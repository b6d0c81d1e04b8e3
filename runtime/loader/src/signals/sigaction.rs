//! `sigaction` for the code of an image.

use std::{ops::Range, ptr};

use libc::{c_int, sigaction};

use crate::{
    crash::actions::{default_action, previous_handler},
    signals::{image_id::ImageId, kernel::kernel_handler, lock},
};

/// `sigaction` for the code of an image. The previous action is the image's own, or else the host's.
///
/// A signal handler may call it, as POSIX allows. Changing or removing a handler does not allocate. Adding
/// one may allocate. So a signal handler must not add a handler for a signal that its image does not handle
/// yet, if it interrupted an allocation.
///
/// # Safety
///
/// As for `sigaction`.
pub(crate) unsafe fn set_action(
    image: ImageId,
    signal: c_int,
    action: *const sigaction,
    previous: *mut sigaction,
) -> c_int {
    // Read here and written at the end, both without the lock: if the address is invalid, the handler of that
    // fault may call this function. SAFETY: guaranteed by the caller.
    let requested = unsafe { action.as_ref() }.copied();
    let mut actions = lock::actions();
    let mut now = default_action();
    // SAFETY: it only queries, and `now` is writable. It fails for a signal that does not exist or that libc
    // reserves.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut now) };
    if error != 0 || (requested.is_some() && matches!(signal, libc::SIGKILL | libc::SIGSTOP)) {
        drop(actions);
        // SAFETY: guaranteed by the caller. This call fails, and sets `errno`.
        return unsafe { libc::sigaction(signal, action, previous) };
    }
    actions.record_host(signal, now);
    let before = actions.visible_to(image, signal);
    if let Some(requested) = requested {
        actions.set(image, signal, requested);
    }
    drop(actions);
    if !previous.is_null() {
        // SAFETY: guaranteed by the caller.
        unsafe { previous.write(before) };
    }
    0
}

/// Removes all handlers of an image. Returns the signals whose handlers a thread is still running.
pub(crate) fn remove_handlers(image: ImageId) -> Vec<c_int> {
    let mut actions = lock::actions();
    while let Some(at) = actions.image_actions.iter().position(|it| it.image == image) {
        let signal = actions.image_actions[at].signal;
        actions.remove_action(at);
        actions.install(signal);
    }
    actions.running.retain(|(_, _, slot)| slot.is_running());
    actions.running.iter().filter(|(of, ..)| *of == image).map(|(_, signal, _)| *signal).collect()
}

/// The signals whose handlers in the kernel are in this address range.
pub(crate) fn signals_handled_in(image: &Range<usize>) -> Vec<c_int> {
    // The crash handler forwards its signals to the handlers that it replaced.
    let is_in = |signal: &c_int| {
        [kernel_handler(*signal), previous_handler(*signal)]
            .into_iter()
            .flatten()
            .any(|at| image.contains(&at))
    };
    (1..=libc::SIGRTMAX()).filter(is_in).collect()
}
