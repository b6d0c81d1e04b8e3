//! The handler that the kernel calls for each signal that a module handles. All code in this file runs in
//! signal handlers.
//!
//! An ordinary signal goes to every image that handles it, newest first, and then to the host. A fatal signal
//! goes only to the newest image. That image may forward it to the next one. The first handler that can
//! repair the fault returns.
//!
//! A module forwards a signal by calling the previous handler, which for a module is [`previous`]. That calls
//! the host at most once for each signal, however many images forward it.

use std::{cell::Cell, ptr};

use libc::{SIG_DFL, SIG_IGN, c_int, c_void, siginfo_t};

use crate::{
    crash::{actions::default_action, fatal::is_fatal},
    signal_safe::handler::{Function, Handler},
    signals::{
        handlers::{HANDLERS, Handlers},
        host::{TIMER_SIGNALS, host_handler},
        kernel::kernel_handler,
    },
};

/// The address of [`dispatch`] for the kernel.
pub(super) static DISPATCH: Handler = Handler::new(dispatch);

/// The address of [`previous`] for modules.
pub(super) static PREVIOUS: Handler = Handler::new(previous);

/// The delivery of one signal to one thread. It is copied and never borrowed, because a handler may exit with
/// `longjmp`.
#[derive(Clone, Copy)]
struct Delivery {
    signal: c_int,
    /// The address of the kernel's `siginfo`. It identifies a nested call for the same signal.
    info: usize,
    /// An address on the stack of this delivery.
    frame: usize,
    /// Whether the host has got it.
    has_host_got_it: bool,
    /// Whether a handler of the host is running. It may not forward `info`.
    is_info_lost: bool,
    /// The serial number of the handler that is running.
    serial: u64,
}

const NO_DELIVERY: Delivery =
    Delivery { signal: 0, info: 0, frame: 0, has_host_got_it: false, is_info_lost: false, serial: 0 };

thread_local! {
    // Without a destructor and with a constant initializer, so a signal handler may use it.
    static DELIVERY: Cell<Delivery> = const { Cell::new(NO_DELIVERY) };
}

/// The kernel calls this.
extern "C" fn dispatch(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(handlers) = usize::try_from(signal).ok().and_then(|signal| HANDLERS.get(signal)) else { return };
    let frame = ptr::from_ref(&signal).addr();
    let outer = DELIVERY.get();
    // This function called a later handler of the host, and that handler forwards the signal back. Every
    // handler has got it.
    let is_nested =
        outer.signal == signal && frame < outer.frame && (outer.info == info.addr() || outer.is_info_lost);
    if is_nested {
        return;
    }
    // A later handler of the host called this function, so the host has got the signal.
    let has_host_got_it = kernel_handler(signal) != Some(DISPATCH.address());
    let delivery = Delivery { signal, info: info.addr(), frame, has_host_got_it, ..NO_DELIVERY };
    DELIVERY.set(delivery);
    if is_fatal(signal) {
        forward_below(handlers, u64::MAX, signal, info, context);
    } else {
        broadcast(handlers, signal, info, context);
    }
    DELIVERY.set(outer);
}

/// A module gets this as the previous handler.
extern "C" fn previous(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(handlers) = usize::try_from(signal).ok().and_then(|signal| HANDLERS.get(signal)) else { return };
    let delivery = DELIVERY.get();
    if delivery.signal != signal {
        // The module calls it outside of a delivery.
        call_host(signal, info, context);
    } else if is_fatal(signal) {
        forward_below(handlers, delivery.serial, signal, info, context);
    } else if !delivery.has_host_got_it {
        call_host(signal, info, context);
    }
}

/// Delivers the signal to every image, and then to the host.
fn broadcast(handlers: &Handlers, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let mut is_handled = false;
    let mut last = u64::MAX;
    while let Some(found) = handlers.newest_below(last) {
        last = found.serial;
        is_handled |= found.run(|function| call(function, signal, info, context));
    }
    let is_default = matches!(host_handler(signal), SIG_DFL | SIG_IGN);
    let is_done = DELIVERY.get().has_host_got_it || (is_handled && is_default);
    if !is_done {
        call_host(signal, info, context);
    }
}

/// Delivers the signal to the newest image below this serial number, or else to the host.
fn forward_below(handlers: &Handlers, below: u64, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let mut last = below;
    while let Some(found) = handlers.newest_below(last) {
        last = found.serial;
        DELIVERY.set(Delivery { serial: last, ..DELIVERY.get() });
        if found.run(|function| call(function, signal, info, context)) {
            return;
        }
    }
    if !DELIVERY.get().has_host_got_it {
        call_host(signal, info, context);
    }
}

fn call_host(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    match host_handler(signal) {
        SIG_IGN => {}
        SIG_DFL => do_default(signal),
        function => {
            let delivery = DELIVERY.get();
            DELIVERY.set(Delivery { has_host_got_it: true, is_info_lost: true, ..delivery });
            call(function, signal, info, context);
            DELIVERY.set(Delivery { has_host_got_it: true, ..delivery });
        }
    }
}

/// Does what the system does with a signal without a handler.
fn do_default(signal: c_int) {
    let is_nothing = matches!(signal, libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT);
    if is_nothing || TIMER_SIGNALS.contains(&signal) {
        return;
    }
    let action = default_action();
    // SAFETY: it sets the default action. The signal is blocked until this handler returns. Then this thread
    // gets it again.
    unsafe {
        libc::sigaction(signal, &action, ptr::null_mut());
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
    }
}

fn call(function: usize, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: it was passed to `sigaction` as a handler of this signal, and its image is in memory:
    // `FoundHandler::run` ensures that, and the host's code stays. On x86_64 and aarch64 a function may
    // ignore arguments.
    let function: Function = unsafe { std::mem::transmute(function) };
    function(signal, info, context);
}
