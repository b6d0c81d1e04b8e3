//! Hands the module's `log` records to the host, as [`events`](super::events) does with `tracing` events.
//!
//! Most libraries write to `log`. A module has a copy of it of its own, like that of `tracing`.

use std::borrow::Cow;

use log::{LevelFilter, Log, Metadata, Record};
use segue_abi::{Level, RecordRef, abi_stable::std_types::RNone};

use crate::{
    boundary::attached,
    log::{
        events::{was_latest, with_host},
        fields::Fields,
    },
};

/// Makes the host the logger of this image. False if a constructor of the module has set its own.
pub(crate) fn install() -> bool {
    let installed = log::set_logger(&Forward).is_ok();
    if installed {
        // The host's filter may change at any time, so it is asked each time.
        log::set_max_level(LevelFilter::Trace);
    }
    installed
}

/// Hands everything on that the host wants.
struct Forward;

// === impl Forward ===

impl Log for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        attached::host().is_some_and(|host| {
            // SAFETY: the host is valid while code of this image runs.
            unsafe { host.vtable.enabled()(host.context, level(metadata.level())) }
        })
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || is_of_tracing(record) {
            return;
        }
        let mut fields = Fields::default();
        // Only a visitor's own error ends the visit, and this one has none.
        let _ = record.key_values().visit(&mut fields);
        let text: Cow<'_, str> =
            record.args().as_str().map_or_else(|| record.args().to_string().into(), Into::into);
        with_host(|host| {
            fields.lend(|_, fields| {
                let record = RecordRef {
                    level: level(record.level()),
                    target: record.target().into(),
                    message: (&*text).into(),
                    fields: fields.into(),
                    parent: RNone,
                };
                // SAFETY: the host is valid while code of this image runs, and copies what it is given.
                unsafe { host.vtable.event()(host.context, &record) };
            });
        });
    }

    fn flush(&self) {}
}

/// Whether the host has this record already, as an event or a span.
///
/// The feature `log` of `tracing` writes to `log` only while no subscriber is set, and the host is one.
/// `log-always` writes each event and each span a second time, with the same `file`, which it does not
/// declare as static, as the macros of `log` do.
fn is_of_tracing(record: &Record<'_>) -> bool {
    record.file_static().is_none()
        && (record.target().starts_with("tracing::span")
            || record.file().zip(record.line()).is_some_and(|(file, line)| was_latest(file, line)))
}

fn level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warn,
        log::Level::Info => Level::Info,
        log::Level::Debug => Level::Debug,
        log::Level::Trace => Level::Trace,
    }
}
