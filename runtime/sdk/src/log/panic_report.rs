//! Reports a panic to the host, with its message and location.

use std::{
    cell::Cell,
    hash::{DefaultHasher, Hash, Hasher},
    panic::PanicHookInfo,
};

use segue_abi::Level;

use crate::{
    boundary::attached,
    log::{backtrace, own_logger},
};

/// The message for a payload that is not text.
pub(crate) const NO_MESSAGE: &str = "(a panic without a message)";

thread_local! {
    /// Hashes of the messages that the hook reported last on this thread; 0 is none. There are several,
    /// because a panic can start while another one unwinds. Without a destructor, so its use registers none.
    static REPORTED: Cell<[u64; 4]> = const { Cell::new([0; 4]) };
}

/// Reports a panic from within the hook.
///
/// The standard hook would print to stderr, without module and version. If `RUST_BACKTRACE` requests a
/// backtrace, the host gets it as a separate record after the panic.
pub(crate) fn report(info: &PanicHookInfo<'_>) {
    if attached::host().is_none() {
        return;
    }
    let message = info.payload_as_str().unwrap_or(NO_MESSAGE);
    let [first, second, third, _] = REPORTED.get();
    REPORTED.set([hash(message), first, second, third]);
    let is_refusal = own_logger::is_refusal(message);
    let style = backtrace::requested();
    let backtrace = (is_refusal || style.is_some()).then(backtrace::capture);
    if let Some(backtrace) = backtrace.as_ref().filter(|_| is_refusal) {
        let text = backtrace.to_string();
        let (message, file, line) =
            own_logger::explain_panic(message, info.location(), &backtrace::module_frames(&text));
        send(&message, &file, line);
    } else {
        let (file, line) = info.location().map_or(("", 0), |location| (location.file(), location.line()));
        send(message, file, line);
    }
    if let (Some(backtrace), Some(style)) = (backtrace, style) {
        let text = backtrace::format(&backtrace, style);
        own_logger::send(Level::Error, &format!("backtrace of the panic:\n{}", text.trim_end()));
    }
}

/// Whether the hook has reported a panic with this message on this thread. Returns true at most once per
/// report.
pub(crate) fn take_reported(message: &str) -> bool {
    let mut reported = REPORTED.get();
    let Some(entry) = reported.iter_mut().find(|entry| **entry == hash(message)) else { return false };
    *entry = 0;
    REPORTED.set(reported);
    true
}

pub(crate) fn send(message: &str, file: &str, line: u32) {
    let Some(host) = attached::host() else { return };
    // SAFETY: the host is valid while code of this image runs, and copies its arguments.
    unsafe { host.vtable.panicked()(host.context, message.into(), file.into(), line) };
}

fn hash(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    // 0 means none.
    hasher.finish().max(1)
}
