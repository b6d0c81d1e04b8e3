//! Passes a module's log records to the host's subscriber.
//!
//! A record arrives as data: level, target, text and fields. The host's subscriber needs callsites that live
//! forever, so there is one for each level here. Its target is `segue::module`, and the module's name,
//! version and generation are fields. The names of the record's own fields are unknown here, so they become
//! one text.

use std::{fmt::Write, sync::atomic::Ordering};

use segue_loader::{
    Log,
    abi::{FieldRef, Level, RecordRef, SpanRef, ValueRef, abi_stable::std_types::ROption},
};
use tracing::{Span, field};

use crate::guest::HostServices;

/// Evaluates `$body` with the level as a constant, because tracing's macros need one.
macro_rules! at_level {
    ($level:expr, $constant:ident => $body:expr) => {
        match $level {
            Level::Error => {
                const $constant: tracing::Level = tracing::Level::ERROR;
                $body
            }
            Level::Warn => {
                const $constant: tracing::Level = tracing::Level::WARN;
                $body
            }
            Level::Info => {
                const $constant: tracing::Level = tracing::Level::INFO;
                $body
            }
            Level::Debug => {
                const $constant: tracing::Level = tracing::Level::DEBUG;
                $body
            }
            Level::Trace => {
                const $constant: tracing::Level = tracing::Level::TRACE;
                $body
            }
        }
    };
}

// === impl HostServices ===

impl HostServices {
    /// The parent of a record: the span that it names, or else the current span of the thread.
    fn parent(&self, parent: ROption<u64>) -> Option<tracing::span::Id> {
        match parent {
            ROption::RSome(id) => self.span(id).and_then(|span| span.id()),
            ROption::RNone => Span::current().id(),
        }
    }

    fn span(&self, id: u64) -> Option<Span> {
        self.spans.lock().get(&id).cloned()
    }

    fn with_span(&self, id: u64, act: impl FnOnce(&tracing::span::Id, &tracing::Dispatch)) {
        if let Some(span) = self.span(id) {
            span.with_subscriber(|(id, dispatch)| act(id, dispatch));
        }
    }
}

impl Log for HostServices {
    fn enabled(&self, level: Level) -> bool {
        at_level!(level, LEVEL => tracing::enabled!(target: "segue::module", LEVEL))
    }

    fn event(&self, record: &RecordRef<'_>) {
        let parent = self.parent(record.parent);
        at_level!(record.level, LEVEL => tracing::event!(
            target: "segue::module",
            parent: parent,
            LEVEL,
            module = &*self.info.module,
            version = self.info.id.version,
            generation = self.info.id.generation,
            from = record.target.as_str(),
            fields = text(record.fields.as_slice()).map(field::display),
            "{}", record.message
        ));
    }

    fn span_new(&self, span: &SpanRef<'_>) -> u64 {
        let parent = self.parent(span.parent);
        let host_span = at_level!(span.level, LEVEL => tracing::span!(
            target: "segue::module",
            parent: parent,
            LEVEL,
            "module",
            module = &*self.info.module,
            version = self.info.id.version,
            generation = self.info.id.generation,
            from = span.target.as_str(),
            span = span.name.as_str(),
            fields = text(span.fields.as_slice()).map(field::display),
            recorded = field::Empty,
        ));
        let id = self.next_span.fetch_add(1, Ordering::Relaxed);
        self.spans.lock().insert(id, host_span);
        id
    }

    fn span_record(&self, span: u64, fields: &[FieldRef<'_>]) {
        if let Some(span) = self.span(span) {
            span.record("recorded", text(fields).map(field::display));
        }
    }

    fn span_enter(&self, span: u64) {
        self.with_span(span, |id, dispatch| dispatch.enter(id));
    }

    fn span_exit(&self, span: u64) {
        self.with_span(span, |id, dispatch| dispatch.exit(id));
    }

    fn span_close(&self, span: u64) {
        // Outside the lock: the subscriber may take long to close a span.
        let closed = self.spans.lock().remove(&span);
        drop(closed);
    }

    fn panicked(&self, message: &str, file: &str, line: u32) {
        tracing::error!(
            target: "segue::module",
            module = &*self.info.module,
            version = self.info.id.version,
            generation = self.info.id.generation,
            "panicked at {file}:{line}: {message}"
        );
    }
}

/// The fields as one text, `user=7 name="ada"`; `None` if there are none.
fn text(fields: &[FieldRef<'_>]) -> Option<String> {
    let mut text = String::new();
    for field in fields {
        if !text.is_empty() {
            text.push(' ');
        }
        let name = field.name;
        // Writing to a String cannot fail.
        let _ = match field.value {
            ValueRef::Bool(value) => write!(text, "{name}={value}"),
            ValueRef::I64(value) => write!(text, "{name}={value}"),
            ValueRef::U64(value) => write!(text, "{name}={value}"),
            ValueRef::F64(value) => write!(text, "{name}={value}"),
            ValueRef::Str(value) => write!(text, "{name}={:?}", value.as_str()),
        };
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_one_text() {
        let fields = [
            FieldRef { name: "user".into(), value: ValueRef::U64(7) },
            FieldRef { name: "name".into(), value: ValueRef::Str("a\"da".into()) },
        ];
        assert_eq!(text(&fields).as_deref(), Some(r#"user=7 name="a\"da""#));
        assert_eq!(text(&[]), None);
    }
}
