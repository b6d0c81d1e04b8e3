//! What a module writes to `log` reaches the host. A subscriber or a logger of its own is refused with the
//! line that sets it.

use std::{fs, time::Duration};

use segue::{Code, ModuleHandle, Request, Step};
use segue_tests::{Bench, V1, V2, dies_in_child, fixture, until};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::logging::Keep;

/// Runs the body in a process of its own, with a subscriber that keeps what modules log; returns its stderr.
pub(crate) fn alone(test: &str, environment: &[(&str, &str)], body: impl FnOnce(&Bench, &Keep)) -> String {
    // Whoever runs the tests may have asked for backtraces.
    let environment = [&[("RUST_BACKTRACE", "0")], environment].concat();
    let ended = dies_in_child(test, &environment, |_| {
        let keep = Keep::default();
        tracing::subscriber::set_global_default(Registry::default().with(keep.clone())).unwrap();
        body(&Bench::new(), &keep);
    });
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.stderr
}

pub(crate) fn loaded(bench: &Bench) -> ModuleHandle {
    bench.runtime.load(fixture("loggers", V1)).unwrap();
    bench.runtime.module("loggers").unwrap()
}

pub(crate) fn text(module: &ModuleHandle, path: &str) -> String {
    String::from_utf8(module.call(&Request::get(path)).unwrap().body).unwrap()
}

/// What modules have logged since the last time.
pub(crate) fn taken(keep: &Keep) -> Vec<String> {
    std::mem::take(&mut *keep.0.lock().unwrap())
}

/// The number of the fixture's line that has this.
pub(crate) fn line_of(what: &str) -> u32 {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/loggers/src/lib.rs");
    let source = fs::read_to_string(source).unwrap();
    let line = source.lines().position(|line| line.contains(what)).unwrap();
    u32::try_from(line + 1).unwrap()
}

/// Replaces the version, and sees it leave memory.
pub(crate) fn leaves(bench: &Bench) {
    bench.runtime.load(fixture("loggers", V2)).unwrap();
    bench.runtime.purge("loggers", Duration::from_secs(30)).unwrap();
    until("old has left memory", || bench.runtime.images_mapped() == 1);
    assert!(bench.runtime.pins("loggers").unwrap().held.is_empty());
}

#[test]
fn log_records_arrive_with_their_fields_and_inside_spans() {
    alone("loggers::log_records_arrive_with_their_fields_and_inside_spans", &[], |bench, keep| {
        text(&loaded(bench), "/log");
        let lines = taken(keep);
        let expected: [(&str, &[&str]); 7] = [
            ("ERROR", &["an error", r#"from="elsewhere""#]),
            (
                "WARN",
                &["a warning", r#"from="loggers""#, "found=true", "answer=42", "ratio=0.5", r#"path="/log""#],
            ),
            ("INFO", &["to ada", r#"name="\"ada\"""#]),
            ("DEBUG", &["a detail"]),
            ("TRACE", &["a step"]),
            ("INFO", &["an event", "user=7"]),
            ("INFO", &["in the span", "user=7"]),
        ];
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (line, (level, parts)) in lines.iter().zip(expected) {
            assert!(line.starts_with(level), "{line}");
            assert!(line.contains(r#"module="loggers" version="1.0.0" generation="#), "{line}");
            for part in parts {
                assert!(line.contains(part), "no {part} in {line}");
            }
        }
        leaves(bench);
    });
}

#[test]
fn a_record_that_tracing_writes_to_log_too_arrives_once() {
    alone("loggers::a_record_that_tracing_writes_to_log_too_arrives_once", &[], |bench, keep| {
        bench.runtime.load(fixture("loggers", "twice")).unwrap();
        text(&bench.runtime.module("loggers").unwrap(), "/log");
        let lines = taken(keep);
        assert_eq!(lines.iter().filter(|line| line.contains("an event")).count(), 1, "{lines:#?}");
        assert_eq!(lines.len(), 7, "{lines:#?}");
    });
}

#[test]
fn a_subscriber_of_its_own_is_refused_with_the_line_to_delete() {
    let test = "loggers::a_subscriber_of_its_own_is_refused_with_the_line_to_delete";
    alone(test, &[("LOGGERS", "init")], |bench, _| {
        let error = bench.runtime.load(fixture("loggers", V1)).unwrap_err();
        assert_eq!((error.code(), error.step()), (Code::OnLoadFailed, Some(Step::OnLoad)));
        let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("fmt().init()"));
        let told = error.to_string();
        assert!(told.contains(&place) && told.contains("delete this call"), "{told}");
        until("it has left memory", || bench.runtime.images_mapped() == 0);
    });
}

#[test]
fn a_logger_of_its_own_is_refused_with_the_line_to_delete() {
    alone(
        "loggers::a_logger_of_its_own_is_refused_with_the_line_to_delete",
        &[("LOGGERS", "logger")],
        |bench, _| {
            let told = bench.runtime.load(fixture("loggers", V1)).unwrap_err().to_string();
            let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("log::set_logger(&Own).map"));
            assert!(told.contains(&place) && told.contains("delete this call"), "{told}");
            until("it has left memory", || bench.runtime.images_mapped() == 0);
        },
    );
}

#[test]
fn a_fault_for_a_subscriber_of_its_own_says_what_to_do() {
    alone(
        "loggers::a_fault_for_a_subscriber_of_its_own_says_what_to_do",
        &[("LOGGERS", "try-init")],
        |bench, _| {
            let told = bench.runtime.load(fixture("loggers", V1)).unwrap_err().to_string();
            assert!(
                told.contains("`on_load` sets a logger of its own") && told.contains("delete this call"),
                "{told}"
            );
        },
    );
}

#[test]
fn what_a_constructor_has_set_is_accepted_and_reported_once() {
    let test = "loggers::what_a_constructor_has_set_is_accepted_and_reported_once";
    alone(test, &[("LOGGERS", "constructor")], |bench, keep| {
        let module = loaded(bench);
        text(&module, "/log");
        text(&module, "/log");
        let lines = taken(keep);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with("WARN") && lines[0].contains("do not reach the host"), "{lines:?}");
        assert!(lines[0].contains(r#"module="loggers" version="1.0.0""#), "{lines:?}");
        leaves(bench);
    });
}
