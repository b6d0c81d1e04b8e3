//! What a module logs reaches the subscriber of the host, as data, and says which version it was.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use segue::Request;
use segue_tests::{Bench, V1, V2, fixture, until};
use tracing::{Subscriber, field::Visit, span};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// Keeps each event as a line: level, the spans around it, its fields.
#[derive(Clone, Default)]
pub(crate) struct Keep(pub(crate) Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keep {
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

#[test]
fn events_and_spans_arrive_with_module_version_and_generation() {
    let keep = Keep::default();
    let bench = Bench::new();
    let loaded = bench.runtime.load(fixture("logs", V1)).unwrap();
    tracing::subscriber::with_default(Registry::default().with(keep.clone()), || {
        bench.runtime.module("logs").unwrap().call(&Request::get("/here")).unwrap();
    });
    // The subscriber, and what it keeps of spans, outlives the version.
    bench.runtime.load(fixture("logs", V2)).unwrap();
    until("old has left memory", || bench.runtime.images_mapped() == 1);

    let lines = keep.0.lock().unwrap().clone();
    let who = format!(r#"module="logs" version="1.0.0" generation={}"#, loaded.generation);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains(&who)), "{lines:#?}");
    let expected: [(&str, &[&str]); 5] = [
        ("ERROR", &["an error", "answer=42"]),
        ("WARN", &["a warning", "ratio=0.5", "outer", "path=", "/here", "found=true"]),
        ("INFO", &["an information", "words", "Some(1)", "inner", "outer"]),
        ("DEBUG", &["a detail", "outer"]),
        ("TRACE", &["a step", r#"from="elsewhere""#]),
    ];
    for (line, (level, parts)) in lines.iter().zip(expected) {
        assert!(line.starts_with(level), "{line}");
        for part in parts {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
    }
    assert!(!lines[4].contains('<'), "a record without a parent has none: {}", lines[4]);
    assert!(!lines[3].contains("inner"), "{}", lines[3]);
}
