//! Records of the `log` crate reach the host. A module that sets its own subscriber or logger is refused, and
//! the error names the line.

use segue::{Code, Step};
use segue_tests::{V1, until};

use super::capture::{call, check_unload, line_of, loaded, with_capture};

#[test]
fn log_records_arrive_with_fields_and_spans() {
    with_capture(&[], |host, capture| {
        call(&loaded(host), "/log");
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
        check_unload(host);
    });
}

#[test]
fn an_event_that_tracing_also_writes_to_log_arrives_once() {
    with_capture(&[], |host, capture| {
        host.load("loggers", "twice").unwrap();
        call(&host.module("loggers"), "/log");
        let lines = capture.take();
        assert_eq!(lines.iter().filter(|line| line.contains("an event")).count(), 1, "{lines:#?}");
        assert_eq!(lines.len(), 7, "{lines:#?}");
    });
}

#[test]
fn a_module_that_sets_a_subscriber_is_refused_with_the_line_to_delete() {
    with_capture(&[("LOGGERS", "init")], |host, _| {
        let error = host.load("loggers", V1).unwrap_err();
        assert_eq!((error.code(), error.step()), (Code::OnLoadFailed, Some(Step::OnLoad)));
        let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("fmt().init()"));
        let text = error.to_string();
        assert!(text.contains(&place) && text.contains("delete this call"), "{text}");
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    });
}

#[test]
fn a_module_that_sets_a_logger_is_refused_with_the_line_to_delete() {
    with_capture(&[("LOGGERS", "logger")], |host, _| {
        let text = host.load("loggers", V1).unwrap_err().to_string();
        let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("log::set_logger(&Own).map"));
        assert!(text.contains(&place) && text.contains("delete this call"), "{text}");
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    });
}

#[test]
fn a_fault_from_setting_a_subscriber_has_a_hint() {
    with_capture(&[("LOGGERS", "try-init")], |host, _| {
        let text = host.load("loggers", V1).unwrap_err().to_string();
        assert!(
            text.contains("`on_load` sets a logger of its own") && text.contains("delete this call"),
            "{text}"
        );
    });
}

#[test]
fn a_subscriber_set_by_a_constructor_is_accepted_with_one_warning() {
    with_capture(&[("LOGGERS", "constructor")], |host, capture| {
        let module = loaded(host);
        call(&module, "/log");
        call(&module, "/log");
        let lines = capture.take();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with("WARN") && lines[0].contains("do not reach the host"), "{lines:?}");
        assert!(lines[0].contains(r#"module="loggers" version="1.0.0""#), "{lines:?}");
        check_unload(host);
    });
}
