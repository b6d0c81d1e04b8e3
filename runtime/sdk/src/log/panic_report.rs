//! Hands a panic's message and place to the host.

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

/// What is told of a payload that is no text.
pub(crate) const NO_MESSAGE: &str = "(a panic without a message)";

thread_local! {
    /// Hashes of the messages that the hook told last on this thread, 0 if none: a panic may come while
    /// another one unwinds. Without a destructor: using it registers nothing.
    static TOLD: Cell<[u64; 4]> = const { Cell::new([0; 4]) };
}

/// Tells the host of a panic, from within the hook.
///
/// The standard hook would print to stderr, without module and version. The host gets the backtrace that
/// `RUST_BACKTRACE` asks for as a record of its own, after that of the panic.
pub(crate) fn tell(info: &PanicHookInfo<'_>) {
    if attached::host().is_none() {
        return;
    }
    let message = info.payload_as_str().unwrap_or(NO_MESSAGE);
    let [first, second, third, _] = TOLD.get();
    TOLD.set([hash(message), first, second, third]);
    let refused = own_logger::is_refusal(message);
    let asked = backtrace::asked();
    let backtrace = (refused || asked.is_some()).then(backtrace::capture);
    if let Some(backtrace) = backtrace.as_ref().filter(|_| refused) {
        let text = backtrace.to_string();
        let (message, file, line) =
            own_logger::explain_panic(message, info.location(), &backtrace::inside(&text));
        send(&message, &file, line);
    } else {
        let place = info.location().map_or(("", 0), |location| (location.file(), location.line()));
        send(message, place.0, place.1);
    }
    if let (Some(backtrace), Some(asked)) = (backtrace, asked) {
        let text = backtrace::text(&backtrace, asked);
        own_logger::send(Level::Error, &format!("backtrace of the panic:\n{}", text.trim_end()));
    }
}

/// Whether the hook told of a panic with this message on this thread. Answers once for each.
pub(crate) fn was_told(message: &str) -> bool {
    let mut told = TOLD.get();
    let Some(this) = told.iter_mut().find(|told| **told == hash(message)) else { return false };
    *this = 0;
    TOLD.set(told);
    true
}

pub(crate) fn send(message: &str, file: &str, line: u32) {
    let Some(host) = attached::host() else { return };
    // SAFETY: the host is valid while code of this image runs, and copies what it is given.
    unsafe { host.vtable.panicked()(host.context, message.into(), file.into(), line) };
}

fn hash(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    // 0 is none.
    hasher.finish().max(1)
}
