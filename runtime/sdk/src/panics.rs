//! Keeps panics inside the module, and hands their message and place to the host.

use std::{
    any::Any,
    cell::Cell,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
};

use segue_abi::{Level, Outcome};

use crate::{backtrace, hook, host, own_logger};

/// What is told of a payload that is no text.
const NO_MESSAGE: &str = "(a panic without a message)";

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
    if host::attached().is_none() {
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

/// Tells the host of a panic that has ended a call, if the hook has not: the module has replaced it, or
/// `resume_unwind` was called, which runs no hook.
pub(crate) fn tell_untold(payload: &(dyn Any + Send)) {
    let text =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or(NO_MESSAGE);
    let mut told = TOLD.get();
    if let Some(this) = told.iter_mut().find(|told| **told == hash(message)) {
        *this = 0;
        TOLD.set(told);
        return;
    }
    let why = "the place is unknown: the module keeps panics from the runtime's hook, or resumed this one";
    send(&format!("{message} ({why})"), "unknown", 0);
    hook::restore();
}

fn send(message: &str, file: &str, line: u32) {
    let Some(host) = host::attached() else { return };
    // SAFETY: the host is valid while code of this image runs, and copies what it is given.
    unsafe { host.vtable.panicked()(host.context, message.into(), file.into(), line) };
}

fn hash(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    // 0 is none.
    hasher.finish().max(1)
}

/// Runs `body`, and keeps a panic in it, with its payload, inside this image.
pub(crate) fn contain(body: impl FnOnce() -> Outcome) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(segue_interface::__private::panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stubborn;
    impl Drop for Stubborn {
        fn drop(&mut self) {
            panic!("and again");
        }
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        assert_eq!(contain(|| std::panic::panic_any(Stubborn)), Outcome::Panicked);
        assert_eq!(contain(|| Outcome::Done), Outcome::Done);
    }
}
