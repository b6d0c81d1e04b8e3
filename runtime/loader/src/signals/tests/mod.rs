//! Tests the dispatcher with real signals that a thread sends itself. Each test has its own signal.

mod fork;
mod in_handlers;

use std::{
    mem, ptr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use libc::{SIG_DFL, SIG_IGN, c_int, siginfo_t};

use crate::{
    crash::actions::default_action,
    signals::{
        host::SIGNALS_MAX,
        image_id::ImageId,
        kernel::kernel_handler,
        sigaction::{remove_handlers, set_action, signals_handled_in},
        wake::wake_signal,
    },
};

/// The handlers that got a signal, in order.
static CALLS: [Mutex<Vec<&str>>; SIGNALS_MAX] = [const { Mutex::new(Vec::new()) }; SIGNALS_MAX];

/// The previous handler that a module saved for chaining.
static PREVIOUS: [AtomicUsize; SIGNALS_MAX] = [const { AtomicUsize::new(0) }; SIGNALS_MAX];

extern "C" fn host(signal: c_int) {
    CALLS[signal as usize].lock().unwrap().push("host");
}

extern "C" fn old(signal: c_int) {
    CALLS[signal as usize].lock().unwrap().push("old");
}

extern "C" fn current(signal: c_int) {
    CALLS[signal as usize].lock().unwrap().push("current");
}

/// Notes the call, and calls the previous handler.
extern "C" fn chains(signal: c_int, info: *mut siginfo_t, context: *mut libc::c_void) {
    CALLS[signal as usize].lock().unwrap().push("chains");
    let previous = PREVIOUS[signal as usize].load(SeqCst);
    if previous > SIG_IGN {
        // SAFETY: the tests store only handlers.
        let previous: extern "C" fn(c_int, *mut siginfo_t, *mut libc::c_void) =
            unsafe { mem::transmute(previous) };
        previous(signal, info, context);
    }
}

fn set(image: usize, signal: c_int, handler: usize) -> usize {
    let mut action = default_action();
    action.sa_sigaction = handler;
    let mut before = default_action();
    // SAFETY: the handlers take only a lock that the raising thread does not hold.
    assert_eq!(unsafe { set_action(ImageId(image), signal, &action, &mut before) }, 0);
    before.sa_sigaction
}

/// Sends this thread a signal, and returns the handlers that got it.
fn raise(signal: c_int) -> Vec<&'static str> {
    // SAFETY: the signal is handled.
    unsafe { libc::raise(signal) };
    mem::take(&mut CALLS[signal as usize].lock().unwrap())
}

fn address(handler: extern "C" fn(c_int)) -> usize {
    handler as usize
}

const CHAINS: extern "C" fn(c_int, *mut siginfo_t, *mut libc::c_void) = chains;

#[test]
fn every_image_and_the_host_get_a_signal_once_newest_first() {
    let signal = libc::SIGRTMIN() + 1;
    // SAFETY: as in `set`.
    unsafe { libc::signal(signal, address(host)) };
    let seen = set(1, signal, address(old));
    assert_eq!(set(2, signal, CHAINS as usize), seen, "both see the handler of the host");
    PREVIOUS[signal as usize].store(seen, SeqCst);
    assert_eq!(raise(signal), ["chains", "host", "old"]);
    assert!(remove_handlers(ImageId(1)).is_empty());
    assert_eq!(raise(signal), ["chains", "host"]);
    assert!(remove_handlers(ImageId(2)).is_empty());
    assert_eq!(kernel_handler(signal), Some(address(host)), "the handler of the host is restored");
    assert_eq!(raise(signal), ["host"]);
}

#[test]
fn a_module_can_restore_the_previous_handler() {
    let signal = libc::SIGRTMIN() + 2;
    // SAFETY: as in `set`.
    unsafe { libc::signal(signal, address(host)) };
    let before = set(1, signal, address(old));
    assert_eq!(set(1, signal, address(current)), address(old), "an image sees its own handler");
    assert_eq!(raise(signal), ["current", "host"]);
    assert_eq!(set(1, signal, before), address(current));
    assert_eq!(raise(signal), ["host"]);
    assert_eq!(kernel_handler(signal), Some(address(host)));
}

#[test]
fn a_module_cannot_take_a_signal_from_the_host() {
    let signal = libc::SIGRTMIN() + 3;
    // SAFETY: as in `set`.
    unsafe { libc::signal(signal, address(host)) };
    set(1, signal, SIG_IGN);
    assert_eq!(raise(signal), ["host"]);
    set(1, signal, SIG_DFL);
    assert_eq!(raise(signal), ["host"]);
    let default = libc::SIGRTMIN() + 4;
    assert_eq!(set(1, default, SIG_IGN), SIG_DFL);
    assert_eq!(kernel_handler(default), Some(SIG_IGN), "the host has the default action");
    remove_handlers(ImageId(1));
    assert_eq!(kernel_handler(default), Some(SIG_DFL));
}

#[test]
fn the_signal_of_a_timer_is_ignored_after_its_handler_is_removed() {
    set(1, libc::SIGVTALRM, address(old));
    assert_eq!(raise(libc::SIGVTALRM), ["old"]);
    remove_handlers(ImageId(1));
    assert_eq!(kernel_handler(libc::SIGVTALRM), Some(SIG_IGN));
    assert!(raise(libc::SIGVTALRM).is_empty());
    assert_eq!(set(1, libc::SIGVTALRM, address(current)), SIG_DFL, "the host still has the default action");
    assert_eq!(raise(libc::SIGVTALRM), ["current"]);
}

#[test]
fn a_host_that_chains_to_the_dispatcher_is_called_once() {
    let signal = libc::SIGRTMIN() + 5;
    set(1, signal, address(old));
    // SAFETY: as in `set`.
    let before = unsafe { libc::signal(signal, CHAINS as usize) };
    PREVIOUS[signal as usize].store(before, SeqCst);
    assert_eq!(raise(signal), ["chains", "old"]);
    // It is the newest again.
    set(2, signal, address(current));
    assert_eq!(raise(signal), ["current", "old", "chains"]);
    remove_handlers(ImageId(1));
    remove_handlers(ImageId(2));
}

#[test]
fn a_fault_goes_to_the_newest_image_which_may_forward_it() {
    let signal = libc::SIGTRAP;
    // SAFETY: as in `set`.
    unsafe { libc::signal(signal, address(host)) };
    set(1, signal, address(old));
    let seen = set(2, signal, address(current));
    assert_eq!(raise(signal), ["current"], "it handled the fault");
    set(2, signal, CHAINS as usize);
    PREVIOUS[signal as usize].store(seen, SeqCst);
    assert_eq!(raise(signal), ["chains", "old"]);
    remove_handlers(ImageId(1));
    assert_eq!(raise(signal), ["chains", "host"]);
    remove_handlers(ImageId(2));
    assert_eq!(raise(signal), ["host"]);
}

#[test]
fn a_running_handler_is_reported() {
    static SIGNAL: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn removes_itself(signal: c_int) {
        SIGNAL.store(remove_handlers(ImageId(1)).len(), SeqCst);
        CALLS[signal as usize].lock().unwrap().push("removed");
    }
    let signal = libc::SIGRTMIN() + 6;
    // SAFETY: as in `set`.
    unsafe { libc::signal(signal, address(host)) };
    set(1, signal, address(removes_itself));
    assert_eq!(raise(signal), ["removed", "host"]);
    assert_eq!(SIGNAL.load(SeqCst), 1, "a thread was running it");
    assert!(remove_handlers(ImageId(1)).is_empty());
}

#[test]
fn a_handler_is_found_by_its_address() {
    let at = address(old);
    // SAFETY: the handler only takes a lock of the tests.
    unsafe { libc::signal(libc::SIGURG, at) };
    assert_eq!(signals_handled_in(&(at..at + 1)), [libc::SIGURG]);
    assert!(signals_handled_in(&(at + 1..at + 2)).is_empty());
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGURG, libc::SIG_DFL) };
    assert!(signals_handled_in(&(at..at + 1)).is_empty());
}

#[test]
fn no_handler_of_a_module_blocks_the_wake_signal() {
    let (signal, wake) = (libc::SIGRTMIN() + 9, wake_signal().unwrap());
    let mut action = default_action();
    action.sa_sigaction = address(old);
    // SAFETY: the sets are valid, and the handler may run at any time.
    unsafe {
        libc::sigfillset(&mut action.sa_mask);
        assert_eq!(set_action(ImageId(1), signal, &action, ptr::null_mut()), 0);
        assert_eq!(libc::sigaction(signal, ptr::null(), &mut action), 0);
        assert_eq!(libc::sigismember(&action.sa_mask, libc::SIGUSR1), 1);
        assert_eq!(libc::sigismember(&action.sa_mask, wake), 0);
    }
    remove_handlers(ImageId(1));
}

#[test]
fn a_handler_uses_the_alternate_stack_only_if_requested_or_fatal() {
    let is_on_stack = |signal: c_int| {
        let mut action = default_action();
        // SAFETY: it only queries, and `action` is writable.
        assert_eq!(unsafe { libc::sigaction(signal, ptr::null(), &mut action) }, 0);
        action.sa_flags & libc::SA_ONSTACK != 0
    };
    let signal = libc::SIGRTMIN() + 11;
    set(1, signal, address(old));
    assert!(!is_on_stack(signal), "no image requested it");
    let mut action = default_action();
    action.sa_sigaction = address(current);
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: nothing sends this signal.
    assert_eq!(unsafe { set_action(ImageId(2), signal, &action, ptr::null_mut()) }, 0);
    assert!(is_on_stack(signal), "one image requested it");
    remove_handlers(ImageId(2));
    assert!(!is_on_stack(signal), "that image is gone");
    remove_handlers(ImageId(1));

    set(1, libc::SIGSYS, address(old));
    assert!(is_on_stack(libc::SIGSYS), "a fatal signal");
    remove_handlers(ImageId(1));
}
