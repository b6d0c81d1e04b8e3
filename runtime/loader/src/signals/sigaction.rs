//! `sigaction` for code of an image.

use std::{ops::Range, ptr};

use libc::{c_int, sigaction};

use crate::{
    crash::actions::{default_action, previous_handler},
    signals::{image_id::ImageId, kernel::kernel_handler, lock},
};

/// Does what `sigaction` does, for code of an image. The previous action is the image's own, or else that of
/// the host.
///
/// A signal handler may call it, as POSIX has it. To change or remove a handler allocates nothing. To add one
/// may, so a signal handler that adds one for a signal that its image did not handle must not have
/// interrupted an allocation.
///
/// # Safety
///
/// As `sigaction`.
pub(crate) unsafe fn set_action(
    image: ImageId,
    signal: c_int,
    action: *const sigaction,
    previous: *mut sigaction,
) -> c_int {
    // Read here and written at the end, without the lock: if the address is bad, the handler of that fault
    // may come here.
    // SAFETY: our caller's promise.
    let wanted = unsafe { action.as_ref() }.copied();
    let mut actions = lock::actions();
    let mut now = default_action();
    // SAFETY: it only asks, and `now` can be written. An error is the answer: of a signal that does not exist
    // or is libc's own.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut now) };
    if error != 0 || (wanted.is_some() && matches!(signal, libc::SIGKILL | libc::SIGSTOP)) {
        drop(actions);
        // SAFETY: our caller's promise, handed on. It fails.
        return unsafe { libc::sigaction(signal, action, previous) };
    }
    actions.record_host(signal, now);
    let before = actions.visible_to(image, signal);
    if let Some(wanted) = wanted {
        actions.set(image, signal, wanted);
    }
    drop(actions);
    if !previous.is_null() {
        // SAFETY: our caller's promise.
        unsafe { previous.write(before) };
    }
    0
}

/// Takes all handlers of an image away, and answers with the signals of those that a thread is in still.
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

/// The signals whose handlers, as the kernel knows them, lie in this range of addresses.
pub(crate) fn signals_handled_in(image: &Range<usize>) -> Vec<c_int> {
    // One that was displaced by the runtime's own handler gets its signals from that.
    let is_in = |signal: &c_int| {
        [kernel_handler(*signal), previous_handler(*signal)]
            .into_iter()
            .flatten()
            .any(|at| image.contains(&at))
    };
    (1..=libc::SIGRTMAX()).filter(is_in).collect()
}
