//! The handler that the kernel knows for each signal that a module handles. All of this file runs in signal
//! handlers.
//!
//! A signal that something sent goes to every image that handles it, newest first, and then to the host. A
//! signal that means that code has gone wrong goes to the newest image alone, and on from there if that hands
//! it on: the first one that can mend it returns.
//!
//! A module that hands a signal on calls what it was told is the previous handler: [`previous`]. That calls
//! the host at most once for one signal, however many images do so.

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

/// [`dispatch`], as the kernel knows it.
pub(super) static DISPATCH: Handler = Handler::new(dispatch);

/// [`previous`], as modules know it.
pub(super) static PREVIOUS: Handler = Handler::new(previous);

/// What a thread is doing with one signal. It is copied, and never referred to: a handler may leave by
/// `longjmp`.
#[derive(Clone, Copy)]
struct Delivery {
    signal: c_int,
    /// Where the kernel put what it says of the signal, by which a nested call for the same signal is known.
    info: usize,
    /// An address on the stack of this delivery.
    frame: usize,
    /// Whether the host has had it.
    is_with_host: bool,
    /// Whether a handler of the host is running that does not hand `info` on.
    is_info_lost: bool,
    /// The serial number of the handler that has it.
    at: u64,
}

const NO_DELIVERY: Delivery =
    Delivery { signal: 0, info: 0, frame: 0, is_with_host: false, is_info_lost: false, at: 0 };

thread_local! {
    // Without a destructor and made at compile time, so a signal handler may use it.
    static DELIVERY: Cell<Delivery> = const { Cell::new(NO_DELIVERY) };
}

/// What the kernel calls.
extern "C" fn dispatch(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(handlers) = usize::try_from(signal).ok().and_then(|signal| HANDLERS.get(signal)) else { return };
    let frame = ptr::from_ref(&signal).addr();
    let outer = DELIVERY.get();
    // A handler that the host installed later hands the signal on to this one, which has called it: enough.
    let is_nested =
        outer.signal == signal && frame < outer.frame && (outer.info == info.addr() || outer.is_info_lost);
    if is_nested {
        return;
    }
    // A host that has installed a handler since, and hands the signal on to this one, has had it.
    let is_with_host = kernel_handler(signal) != Some(DISPATCH.address());
    let delivery = Delivery { signal, info: info.addr(), frame, is_with_host, ..NO_DELIVERY };
    DELIVERY.set(delivery);
    if is_fatal(signal) {
        forward_below(handlers, u64::MAX, signal, info, context);
    } else {
        broadcast(handlers, signal, info, context);
    }
    DELIVERY.set(outer);
}

/// What a module gets as the previous handler.
extern "C" fn previous(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(handlers) = usize::try_from(signal).ok().and_then(|signal| HANDLERS.get(signal)) else { return };
    let delivery = DELIVERY.get();
    if delivery.signal != signal {
        // The module calls it by itself.
        call_host(signal, info, context);
    } else if is_fatal(signal) {
        forward_below(handlers, delivery.at, signal, info, context);
    } else if !delivery.is_with_host {
        call_host(signal, info, context);
    }
}

/// Every image, and then the host.
fn broadcast(handlers: &Handlers, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let mut is_handled = false;
    let mut last = u64::MAX;
    while let Some(found) = handlers.newest_below(last) {
        last = found.serial;
        is_handled |= found.run(|function| call(function, signal, info, context));
    }
    let is_default = matches!(host_handler(signal), SIG_DFL | SIG_IGN);
    let is_done = DELIVERY.get().is_with_host || (is_handled && is_default);
    if !is_done {
        call_host(signal, info, context);
    }
}

/// The newest image below this serial number, or else the host.
fn forward_below(handlers: &Handlers, below: u64, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let mut last = below;
    while let Some(found) = handlers.newest_below(last) {
        last = found.serial;
        DELIVERY.set(Delivery { at: last, ..DELIVERY.get() });
        if found.run(|function| call(function, signal, info, context)) {
            return;
        }
    }
    if !DELIVERY.get().is_with_host {
        call_host(signal, info, context);
    }
}

fn call_host(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    match host_handler(signal) {
        SIG_IGN => {}
        SIG_DFL => do_default(signal),
        function => {
            let delivery = DELIVERY.get();
            DELIVERY.set(Delivery { is_with_host: true, is_info_lost: true, ..delivery });
            call(function, signal, info, context);
            DELIVERY.set(Delivery { is_with_host: true, ..delivery });
        }
    }
}

/// What the system does with a signal that nobody handles.
fn do_default(signal: c_int) {
    let is_nothing = matches!(signal, libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT);
    if is_nothing || TIMER_SIGNALS.contains(&signal) {
        return;
    }
    let action = default_action();
    // SAFETY: the default action; the signal comes to this thread again when the handler returns, since it is
    // blocked until then.
    unsafe {
        libc::sigaction(signal, &action, ptr::null_mut());
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
    }
}

fn call(function: usize, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: it was given to `sigaction` as a handler of this signal, and its image is in memory:
    // `Found::run` sees to that, and the host's stays. The calling conventions of x86_64 and aarch64 let a
    // function ignore arguments.
    let function: Function = unsafe { std::mem::transmute(function) };
    function(signal, info, context);
}
