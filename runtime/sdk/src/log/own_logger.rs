//! A module that sets a subscriber or a logger of its own, the `init()` of every tutorial.
//!
//! The SDK sets both first. So the module's attempt fails, and the load with it; here its error gets the
//! words that help: the line to delete, and why. A module that comes first, by a constructor of its file,
//! keeps its own, and the host reports that.

use std::{panic::Location, sync::OnceLock};

use segue_abi::{
    Level, RecordRef,
    abi_stable::std_types::{RNone, RSlice},
};

use segue_interface::Fault;

use crate::log::{
    backtrace::{self, Frame},
    events, records,
};

/// What `tracing` and `log` say when there is one already: as `Debug`, which `expect` prints, and as text.
const REFUSALS: [&str; 4] = [
    "SetGlobalDefaultError",
    "a global default trace dispatcher has already been set",
    "SetLoggerError",
    "attempted to set a logger after the logging system was already initialized",
];

/// What the author is to do.
const ADVICE: &str =
    "delete this call: the runtime already receives the module's `tracing` and `log` records";

/// The crate of the module's type.
static AUTHOR: OnceLock<&str> = OnceLock::new();

/// Keeps the author's crate, by the name of the module's type.
pub(crate) fn author(type_name: &'static str) {
    // It is set once: a module is attached once.
    let _ = AUTHOR.set(type_name.split_once("::").map_or(type_name, |(name, _)| name));
}

/// Makes the host the subscriber and the logger of this image, and reports what the module has set before.
pub(crate) fn install() {
    let what = match (events::install(), records::install()) {
        (true, true) => return,
        (false, true) => "a `tracing` subscriber of its own: its events and spans do not reach the host",
        (true, false) => "a `log` logger of its own: what it writes to `log` does not reach the host",
        (false, false) => {
            "a `tracing` subscriber and a `log` logger of its own: its records do not reach the host"
        }
    };
    send(Level::Warn, &format!("the module has set {what}"));
}

/// Hands the host a record of the SDK's own.
pub(crate) fn send(level: Level, message: &str) {
    events::with_host(|host| {
        let fields = RSlice::from_slice(&[]);
        let record =
            RecordRef { level, target: "segue_sdk".into(), message: message.into(), fields, parent: RNone };
        // SAFETY: the host is valid while code of this image runs, and copies what it is given.
        unsafe { host.vtable.event()(host.context, &record) };
    });
}

/// Whether this says that the module's subscriber or logger was refused.
pub(crate) fn is_refusal(message: &str) -> bool {
    REFUSALS.iter().any(|refusal| message.contains(refusal))
}

/// A refusal that became a panic: its message with what to do, and the author's line, if the module has debug
/// info. Otherwise the place of the panic, which is in the library whose function the author called.
pub(crate) fn explain_panic(
    message: &str,
    panicked_at: Option<&Location<'_>>,
    frames: &[Frame<'_>],
) -> (String, String, u32) {
    let author = backtrace::author(frames, AUTHOR.get().copied().unwrap_or_default());
    let (file, line) = panicked_at.map_or(("unknown", 0), |location| (location.file(), location.line()));
    match author {
        Some(Frame { place: Some((file, line)), .. }) => (
            format!("the module sets a logger of its own here; {ADVICE} ({message})"),
            (*file).to_owned(),
            *line,
        ),
        Some(Frame { name, .. }) => {
            let text = format!("`{name}` sets a logger of its own; {ADVICE} ({message})");
            (text, file.to_owned(), line)
        }
        None => (format!("the module sets a logger of its own; {ADVICE} ({message})"), file.to_owned(), line),
    }
}

/// A refusal that became the fault of `on_load`. No place is known of it.
pub(crate) fn explain_fault(fault: Fault) -> Fault {
    if is_refusal(fault.text()) {
        return Fault::new(format!("`on_load` sets a logger of its own; {ADVICE} ({})", fault.text()));
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_tracing_and_log_are_known() {
        events::install();
        records::install();
        let of_tracing = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
        struct Own;
        impl ::log::Log for Own {
            fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
                false
            }
            fn log(&self, _: &::log::Record<'_>) {}
            fn flush(&self) {}
        }
        let of_log = ::log::set_logger(&Own);
        let (of_tracing, of_log) = (of_tracing.unwrap_err(), of_log.unwrap_err());
        let texts =
            [format!("{of_tracing:?}"), of_tracing.to_string(), format!("{of_log:?}"), of_log.to_string()];
        for text in texts {
            assert!(is_refusal(&text), "{text}");
            assert!(explain_fault(Fault::new(text)).text().contains("delete this call"));
        }
        assert!(!is_refusal("the database is gone"));
        assert_eq!(explain_fault(Fault::new("the database is gone")).text(), "the database is gone");
    }
}
