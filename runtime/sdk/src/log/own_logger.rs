//! Handles modules that set a subscriber or a logger of their own, as the `init()` of most tutorials does.
//!
//! The SDK sets both first, so the module's attempt fails, and with it the load. This file adds to the error
//! which line to delete, and why. If a constructor of the module sets one before the SDK does, it stays, and
//! the host logs a warning.

use std::{panic::Location, sync::OnceLock};

use segue_abi::{
    Level, RecordRef,
    abi_stable::std_types::{RNone, RSlice},
};
use segue_interface::Fault;

use crate::{
    boundary::attached::with_host,
    log::{
        backtrace::{self, Frame},
        log_bridge, tracing_bridge,
    },
};

/// The errors of `tracing` and `log` if a subscriber or logger is already set: as `Debug`, which `expect`
/// prints, and as text.
const REFUSALS: [&str; 4] = [
    "SetGlobalDefaultError",
    "a global default trace dispatcher has already been set",
    "SetLoggerError",
    "attempted to set a logger after the logging system was already initialized",
];

const ADVICE: &str =
    "delete this call: the runtime already receives the module's `tracing` and `log` records";

/// The name of the crate that defines the module's type.
static AUTHOR_CRATE: OnceLock<&str> = OnceLock::new();

/// Stores the name of the author's crate, taken from the name of the module's type.
pub(crate) fn set_author_crate(type_name: &'static str) {
    // Set once, because a module is attached once.
    let _ = AUTHOR_CRATE.set(type_name.split_once("::").map_or(type_name, |(name, _)| name));
}

/// Makes the host the subscriber and the logger of this image. Warns if the module has already set one.
pub(crate) fn install() {
    let what = match (tracing_bridge::install(), log_bridge::install()) {
        (true, true) => return,
        (false, true) => "its own `tracing` subscriber: its events and spans do not reach the host",
        (true, false) => "its own `log` logger: its `log` records do not reach the host",
        (false, false) => {
            "its own `tracing` subscriber and `log` logger: its events, spans and records do not reach the host"
        }
    };
    send(Level::Warn, &format!("the module has set {what}"));
}

/// Sends a record of the SDK to the host.
pub(crate) fn send(level: Level, message: &str) {
    with_host(|host| {
        let fields = RSlice::from_slice(&[]);
        let record =
            RecordRef { level, target: "segue_sdk".into(), message: message.into(), fields, parent: RNone };
        // SAFETY: the host is valid while code of this image runs, and copies its arguments.
        unsafe { host.vtable.event()(host.context, &record) };
    });
}

/// Whether this message is the error of a refused subscriber or logger.
pub(crate) fn is_refusal(message: &str) -> bool {
    REFUSALS.iter().any(|refusal| message.contains(refusal))
}

/// Explains a refusal that caused a panic. Returns a message that says what to do, a file and a line.
///
/// File and line are the author's if the module has debug info. Otherwise they are those of the panic, in the
/// library that the author called.
pub(crate) fn explain_panic(
    message: &str,
    panicked_at: Option<&Location<'_>>,
    frames: &[Frame<'_>],
) -> (String, String, u32) {
    let author = backtrace::author_frame(frames, AUTHOR_CRATE.get().copied().unwrap_or_default());
    let (file, line) = panicked_at.map_or(("unknown", 0), |location| (location.file(), location.line()));
    match author {
        Some(Frame { location: Some((file, line)), .. }) => (
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

/// Explains a refusal that `on_load` returned as its fault. Its location is unknown.
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
    fn the_errors_tracing_error_and_log_are_recognized() {
        tracing_bridge::install();
        log_bridge::install();
        let tracing_error = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
        struct Own;
        impl ::log::Log for Own {
            fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
                false
            }
            fn log(&self, _: &::log::Record<'_>) {}
            fn flush(&self) {}
        }
        let log_error = ::log::set_logger(&Own);
        let (tracing_error, log_error) = (tracing_error.unwrap_err(), log_error.unwrap_err());
        let texts = [
            format!("{tracing_error:?}"),
            tracing_error.to_string(),
            format!("{log_error:?}"),
            log_error.to_string(),
        ];
        for text in texts {
            assert!(is_refusal(&text), "{text}");
            assert!(explain_fault(Fault::new(text)).text().contains("delete this call"));
        }
        assert!(!is_refusal("the database is gone"));
        assert_eq!(explain_fault(Fault::new("the database is gone")).text(), "the database is gone");
    }
}
