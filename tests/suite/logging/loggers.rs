//! What a module writes to `log` reaches the host. A subscriber or a logger of its own is refused with the
//! line that sets it.

use segue::{Code, Step};
use segue_tests::{V1, until};

use super::capture::{alone, leaves, line_of, loaded, text};

#[test]
fn log_records_arrive_with_their_fields_and_inside_spans() {
    alone(&[], |host, capture| {
        text(&loaded(host), "/log");
        let lines = capture.take();
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
        leaves(host);
    });
}

#[test]
fn a_record_that_tracing_writes_to_log_too_arrives_once() {
    alone(&[], |host, capture| {
        host.load("loggers", "twice").unwrap();
        text(&host.module("loggers"), "/log");
        let lines = capture.take();
        assert_eq!(lines.iter().filter(|line| line.contains("an event")).count(), 1, "{lines:#?}");
        assert_eq!(lines.len(), 7, "{lines:#?}");
    });
}

#[test]
fn a_subscriber_of_its_own_is_refused_with_the_line_to_delete() {
    alone(&[("LOGGERS", "init")], |host, _| {
        let error = host.load("loggers", V1).unwrap_err();
        assert_eq!((error.code(), error.step()), (Code::OnLoadFailed, Some(Step::OnLoad)));
        let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("fmt().init()"));
        let told = error.to_string();
        assert!(told.contains(&place) && told.contains("delete this call"), "{told}");
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    });
}

#[test]
fn a_logger_of_its_own_is_refused_with_the_line_to_delete() {
    alone(&[("LOGGERS", "logger")], |host, _| {
        let told = host.load("loggers", V1).unwrap_err().to_string();
        let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("log::set_logger(&Own).map"));
        assert!(told.contains(&place) && told.contains("delete this call"), "{told}");
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    });
}

#[test]
fn a_fault_for_a_subscriber_of_its_own_says_what_to_do() {
    alone(&[("LOGGERS", "try-init")], |host, _| {
        let told = host.load("loggers", V1).unwrap_err().to_string();
        assert!(
            told.contains("`on_load` sets a logger of its own") && told.contains("delete this call"),
            "{told}"
        );
    });
}

#[test]
fn what_a_constructor_has_set_is_accepted_and_reported_once() {
    alone(&[("LOGGERS", "constructor")], |host, capture| {
        let module = loaded(host);
        text(&module, "/log");
        text(&module, "/log");
        let lines = capture.take();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with("WARN") && lines[0].contains("do not reach the host"), "{lines:?}");
        assert!(lines[0].contains(r#"module="loggers" version="1.0.0""#), "{lines:?}");
        leaves(host);
    });
}
