//! A subscriber that captures what modules log, and the fixture `loggers` in a child process with it.

use std::{
    fmt::Write,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use segue::{ModuleHandle, Request};
use segue_tests::{TestHost, V1, V2, dies_in_child_of, test_of, until};
use tracing::{Subscriber, field::Visit, span};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// Captures each event as a line: level, the spans around it, its fields.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut text = Text(String::new());
        attributes.record(&mut text);
        context.span(id).unwrap().extensions_mut().insert(text);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(text) = context.span(id).unwrap().extensions_mut().get_mut::<Text>() {
            values.record(text);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "segue::module" {
            return;
        }
        let mut line = format!("{}", event.metadata().level());
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            write!(line, " <{}>", extensions.get::<Text>().map_or("", |text| text.0.trim())).unwrap();
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        line.push_str(&text.0);
        self.0.lock().unwrap().push(line);
    }
}

impl Capture {
    /// What modules logged since the last call of this.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Runs the body in a child process with a capturing subscriber; returns its standard error.
pub(crate) fn with_capture(environment: &[(&str, &str)], body: impl FnOnce(&TestHost, &Capture)) -> String {
    let test = test_of(&body);
    // The environment of the tests may ask for backtraces.
    let environment = [&[("RUST_BACKTRACE", "0")], environment].concat();
    let dead = dies_in_child_of(test, &environment, |_| {
        let capture = Capture::default();
        tracing::subscriber::set_global_default(Registry::default().with(capture.clone())).unwrap();
        body(&TestHost::new(), &capture);
    });
    assert!(dead.status.success(), "{}", dead.stderr);
    dead.stderr
}

pub(crate) fn loaded(host: &TestHost) -> ModuleHandle {
    host.load("loggers", V1).unwrap();
    host.module("loggers")
}

pub(crate) fn call(module: &ModuleHandle, path: &str) -> String {
    String::from_utf8(module.call(&Request::get(path)).unwrap().body).unwrap()
}

/// The number of the line in the fixture that contains this text.
pub(crate) fn line_of(what: &str) -> u32 {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/loggers/src/lib.rs");
    let source = fs::read_to_string(source).unwrap();
    let line = source.lines().position(|line| line.contains(what)).unwrap();
    u32::try_from(line + 1).unwrap()
}

/// Replaces the version, and checks that it is unloaded.
pub(crate) fn check_unload(host: &TestHost) {
    host.load("loggers", V2).unwrap();
    host.runtime.purge("loggers", Duration::from_secs(30)).unwrap();
    until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    assert!(host.runtime.pins("loggers").unwrap().held.is_empty());
}
