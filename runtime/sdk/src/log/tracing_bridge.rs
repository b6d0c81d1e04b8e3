//! Passes the module's `tracing` events and spans to the host, as data.
//!
//! A module contains a separate copy of `tracing`. If it shared the host's subscriber, the host would keep
//! references into this image, because each callsite is a `&'static` of the image. So the image has its own
//! subscriber, which passes names, texts and numbers to the host. The host keeps copies.

use std::{
    cell::Cell,
    collections::HashMap,
    ptr,
    sync::{Mutex, PoisonError},
};

use segue_abi::{
    Level, RecordRef, SpanRef,
    abi_stable::std_types::{RNone, ROption, RSome},
};
use tracing::{
    Event, Metadata, Subscriber, span,
    subscriber::{self, Interest},
};

use crate::{
    boundary::attached::{self, with_host},
    log::fields::Fields,
};

/// Makes the host the subscriber of this image. Returns false if a constructor of the module has set another
/// one.
pub(crate) fn install() -> bool {
    subscriber::set_global_default(HostSubscriber::default()).is_ok()
}

thread_local! {
    /// File and line of this thread's last event or new span. Without a destructor, so its use registers
    /// none.
    static LATEST: Cell<(*const u8, u32)> = const { Cell::new((ptr::null(), 0)) };
}

/// Whether this thread's last event or new span came from this line. Returns true at most once per event or
/// span.
pub(crate) fn take_latest(file: &str, line: u32) -> bool {
    LATEST.get() == (file.as_ptr(), line) && {
        LATEST.set((ptr::null(), 0));
        true
    }
}

fn set_latest(metadata: &Metadata<'_>) {
    LATEST.set((metadata.file().map_or(ptr::null(), str::as_ptr), metadata.line().unwrap_or(0)));
}

#[derive(Default)]
struct HostSubscriber {
    /// The number of handles to each open span. The host closes a span when its last handle is dropped.
    handles: Mutex<HashMap<u64, usize>>,
}

// === impl HostSubscriber ===

impl Subscriber for HostSubscriber {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The host's filter may change at any time, so `enabled` asks it each time.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        attached::host().is_some_and(|host| {
            // SAFETY: the host is valid while code of this image runs.
            unsafe { host.vtable.enabled()(host.context, level(metadata.level())) }
        })
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        set_latest(attributes.metadata());
        let id = attached::host().map_or(1, |host| {
            let metadata = attributes.metadata();
            fields.lend(|_, fields| {
                let span = SpanRef {
                    level: level(metadata.level()),
                    target: metadata.target().into(),
                    name: metadata.name().into(),
                    fields: fields.into(),
                    parent: parent(attributes.parent(), attributes.is_root()),
                };
                // SAFETY: the host is valid while code of this image runs, and copies its arguments.
                unsafe { host.vtable.span_new()(host.context, &span) }
            })
        });
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).insert(id, 1);
        span::Id::from_u64(id.max(1))
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        with_host(|host| {
            // SAFETY: the host is valid while code of this image runs, and copies its arguments.
            fields.lend(|_, fields| unsafe {
                host.vtable.span_record()(host.context, span.into_u64(), fields.into());
            });
        });
    }

    /// Ignored: the host knows only the parents of a span.
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        set_latest(metadata);
        with_host(|host| {
            fields.lend(|message, fields| {
                let record = RecordRef {
                    level: level(metadata.level()),
                    target: metadata.target().into(),
                    message: message.into(),
                    fields: fields.into(),
                    parent: parent(event.parent(), event.is_root()),
                };
                // SAFETY: the host is valid while code of this image runs, and copies its arguments.
                unsafe { host.vtable.event()(host.context, &record) };
            });
        });
    }

    fn enter(&self, span: &span::Id) {
        // SAFETY: the host is valid while code of this image runs.
        with_host(|host| unsafe { host.vtable.span_enter()(host.context, span.into_u64()) });
    }

    fn exit(&self, span: &span::Id) {
        // SAFETY: the host is valid while code of this image runs.
        with_host(|host| unsafe { host.vtable.span_exit()(host.context, span.into_u64()) });
    }

    fn clone_span(&self, span: &span::Id) -> span::Id {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        *handles.entry(span.into_u64()).or_insert(0) += 1;
        span.clone()
    }

    fn try_close(&self, span: span::Id) -> bool {
        let id = span.into_u64();
        {
            let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(count) = handles.get_mut(&id) else { return false };
            *count -= 1;
            if *count > 0 {
                return false;
            }
            handles.remove(&id);
        }
        // SAFETY: the host is valid while code of this image runs.
        with_host(|host| unsafe { host.vtable.span_close()(host.context, id) });
        true
    }
}

fn level(level: &tracing::Level) -> Level {
    match *level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

fn parent(explicit: Option<&span::Id>, is_root: bool) -> ROption<u64> {
    match (explicit, is_root) {
        (Some(id), _) => RSome(id.into_u64()),
        (None, true) => RSome(0),
        (None, false) => RNone,
    }
}
