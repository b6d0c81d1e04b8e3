//! Passes the module's `log` records to the host, as [`tracing_bridge`](super::tracing_bridge) does for
//! `tracing` events.
//!
//! Most libraries write to `log`. A module contains a separate copy of it, as of `tracing`.

use std::borrow::Cow;

use log::{LevelFilter, Log, Metadata, Record};
use segue_abi::{Level, RecordRef, abi_stable::std_types::RNone};

use crate::{
    boundary::attached::{self, with_host},
    log::{fields::Fields, tracing_bridge::take_latest},
};

/// Makes the host the logger of this image. Returns false if a constructor of the module has set another one.
pub(crate) fn install() -> bool {
    let installed = log::set_logger(&HostLogger).is_ok();
    if installed {
        // The host's filter may change at any time, so `enabled` asks it each time.
        log::set_max_level(LevelFilter::Trace);
    }
    installed
}

struct HostLogger;

// === impl HostLogger ===

impl Log for HostLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        attached::host().is_some_and(|host| {
            // SAFETY: the host is valid while code of this image runs.
            unsafe { host.vtable.enabled()(host.context, level(metadata.level())) }
        })
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || is_from_tracing(record) {
            return;
        }
        let mut fields = Fields::default();
        // Only an error of the visitor ends the visit, and this visitor returns none.
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
                // SAFETY: the host is valid while code of this image runs, and copies its arguments.
                unsafe { host.vtable.event()(host.context, &record) };
            });
        });
    }

    fn flush(&self) {}
}

/// Whether `tracing` wrote this record, so the host already has it as an event or a span.
///
/// With its feature `log`, `tracing` writes to `log` only while no subscriber is set, and the host is one.
/// With `log-always`, it writes each event and each span a second time, with the same `file`. It does not
/// declare `file` as static; the macros of `log` do.
fn is_from_tracing(record: &Record<'_>) -> bool {
    record.file_static().is_none()
        && (record.target().starts_with("tracing::span")
            || record.file().zip(record.line()).is_some_and(|(file, line)| take_latest(file, line)))
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
