//! What a module writes to `log` reaches the host. So do its panics, whatever hook it sets; and a subscriber or a logger of its
//! own is refused with the line that sets it.

use std::{fs, time::Duration};

use segue::{CallFailure, Code, ModuleHandle, Request, Step};
use segue_tests::{Bench, V1, V2, dies_in_child, fixture, until};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::logging::Keep;

/// Runs the body in a process of its own, with a subscriber that keeps what modules log. Answers with its stderr.
fn alone(test: &str, environment: &[(&str, &str)], body: impl FnOnce(&Bench, &Keep)) -> String {
    let test = format!("loggers::{test}");
    // Whoever runs the tests may have asked for backtraces.
    let environment = [&[("RUST_BACKTRACE", "0")], environment].concat();
    let ended = dies_in_child(&test, &environment, |_| {
        let keep = Keep::default();
        tracing::subscriber::set_global_default(Registry::default().with(keep.clone())).unwrap();
        body(&Bench::new(), &keep);
    });
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.stderr
}

fn loaded(bench: &Bench) -> ModuleHandle {
    bench.runtime.load(fixture("loggers", V1)).unwrap();
    bench.runtime.module("loggers").unwrap()
}

fn text(module: &ModuleHandle, path: &str) -> String {
    String::from_utf8(module.call(&Request::get(path)).unwrap().body).unwrap()
}

/// The message, the file and the line of the panic of a call.
fn panic(module: &ModuleHandle, path: &str) -> (String, String, u32) {
    match module.call(&Request::get(path)).unwrap_err().failure() {
        CallFailure::Panicked { message, file, line, .. } => (message.clone(), file.clone(), *line),
        other => panic!("{other:?}"),
    }
}

/// What modules have logged since the last time.
fn taken(keep: &Keep) -> Vec<String> {
    std::mem::take(&mut *keep.0.lock().unwrap())
}

/// The number of the fixture's line that has this.
fn line_of(what: &str) -> u32 {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/loggers/src/lib.rs");
    let source = fs::read_to_string(source).unwrap();
    let line = source.lines().position(|line| line.contains(what)).unwrap();
    u32::try_from(line + 1).unwrap()
}

/// Replaces the version, and sees it leave memory.
fn leaves(bench: &Bench) {
    bench.runtime.load(fixture("loggers", V2)).unwrap();
    bench.runtime.purge("loggers", Duration::from_secs(30)).unwrap();
    until("old has left memory", || bench.runtime.images_mapped() == 1);
    assert!(bench.runtime.pins("loggers").unwrap().held.is_empty());
}

#[test]
fn log_records_arrive_with_their_fields_and_inside_spans() {
    alone("log_records_arrive_with_their_fields_and_inside_spans", &[], |bench, keep| {
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
    alone("a_record_that_tracing_writes_to_log_too_arrives_once", &[], |bench, keep| {
        bench.runtime.load(fixture("loggers", "twice")).unwrap();
        text(&bench.runtime.module("loggers").unwrap(), "/log");
        let lines = taken(keep);
        assert_eq!(lines.iter().filter(|line| line.contains("an event")).count(), 1, "{lines:#?}");
        assert_eq!(lines.len(), 7, "{lines:#?}");
    });
}

#[test]
fn a_subscriber_of_its_own_is_refused_with_the_line_to_delete() {
    let test = "a_subscriber_of_its_own_is_refused_with_the_line_to_delete";
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
    alone("a_logger_of_its_own_is_refused_with_the_line_to_delete", &[("LOGGERS", "logger")], |bench, _| {
        let told = bench.runtime.load(fixture("loggers", V1)).unwrap_err().to_string();
        let place = format!("fixtures/loggers/src/lib.rs:{}: ", line_of("log::set_logger(&Own).map"));
        assert!(told.contains(&place) && told.contains("delete this call"), "{told}");
        until("it has left memory", || bench.runtime.images_mapped() == 0);
    });
}

#[test]
fn a_fault_for_a_subscriber_of_its_own_says_what_to_do() {
    alone("a_fault_for_a_subscriber_of_its_own_says_what_to_do", &[("LOGGERS", "try-init")], |bench, _| {
        let told = bench.runtime.load(fixture("loggers", V1)).unwrap_err().to_string();
        assert!(
            told.contains("`on_load` sets a logger of its own") && told.contains("delete this call"),
            "{told}"
        );
    });
}

#[test]
fn what_a_constructor_has_set_is_accepted_and_reported_once() {
    let test = "what_a_constructor_has_set_is_accepted_and_reported_once";
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

#[test]
fn a_panic_hook_of_its_own_runs_and_costs_the_host_nothing() {
    let test = "a_panic_hook_of_its_own_runs_and_costs_the_host_nothing";
    let stderr = alone(test, &[("LOGGERS", "hook")], |bench, keep| {
        let module = loaded(bench);
        let line = line_of("it panics on purpose");
        // Set in `on_load`, and then by each of these calls. A chain runs the hook before it, too; a drop leaves none.
        let cases =
            [("/", "1"), ("/hook", "2"), ("/chain", "4"), ("/hook", "5"), ("/drop", "5"), ("/chain", "6")];
        for (set, ran) in cases {
            text(&module, set);
            taken(keep);
            let (message, file, at) = panic(&module, "/panic");
            assert_eq!((&*message, at), ("it panics on purpose", line), "after {set}");
            assert!(file.ends_with("loggers/src/lib.rs"), "{file}");
            assert_eq!(text(&module, "/ran"), ran, "after {set}");
            let lines = taken(keep);
            assert_eq!(lines.len(), 1, "after {set}: {lines:#?}");
            assert!(lines[0].contains(&format!("lib.rs:{line}: it panics on purpose")), "{lines:?}");
        }
        leaves(bench);
    });
    assert!(!stderr.contains("on purpose"), "the standard hook has printed, too: {stderr}");
}

#[test]
fn a_hook_that_keeps_the_runtimes_costs_one_place_at_most() {
    alone("a_hook_that_keeps_the_runtimes_costs_one_place_at_most", &[], |bench, keep| {
        let module = loaded(bench);
        text(&module, "/keep");
        let (message, _, line) = panic(&module, "/panic");
        assert!(message.starts_with("it panics on purpose (the place is unknown"), "{message}");
        assert_eq!(line, 0);
        assert!(taken(keep)[0].contains("it panics on purpose"));
        let (message, _, line) = panic(&module, "/panic");
        assert_eq!((&*message, line), ("it panics on purpose", line_of("it panics on purpose")));
        assert_eq!(text(&module, "/ran"), "2");
        leaves(bench);
    });
}

#[test]
fn a_resumed_panic_is_told_with_its_message() {
    alone("a_resumed_panic_is_told_with_its_message", &[], |bench, keep| {
        let module = loaded(bench);
        for _ in 0..2 {
            let (message, _, _) = panic(&module, "/resume");
            assert!(message.starts_with("resumed on purpose (the place is unknown"), "{message}");
            assert_eq!(taken(keep).len(), 1);
        }
        // The hook is still one: the host is told once.
        assert_eq!(panic(&module, "/panic").0, "it panics on purpose");
        assert_eq!(taken(keep).len(), 1);
        leaves(bench);
    });
}

/// The backtraces among these records.
fn backtraces(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.contains("backtrace of the panic")).collect()
}

#[test]
fn a_backtrace_comes_with_module_and_version() {
    let test = "a_backtrace_comes_with_module_and_version";
    let place = format!("fixtures/loggers/src/lib.rs:{}:", line_of("it panics on purpose"));
    alone(test, &[("RUST_BACKTRACE", "1"), ("LOGGERS", "hook")], |bench, keep| {
        panic(&loaded(bench), "/panic");
        let lines = taken(keep);
        let traces = backtraces(&lines);
        assert_eq!((traces.len(), lines.len()), (1, 2), "{lines:#?}");
        for part in [r#"module="loggers" version="1.0.0""#, "panics_on_purpose", &place, "segue_sdk"] {
            assert!(traces[0].contains(part), "no {part} in {}", traces[0]);
        }
        assert!(!traces[0].contains("segue_loader"), "the host's frames say nothing: {}", traces[0]);
        leaves(bench);
    });
}

#[test]
fn a_full_backtrace_has_the_hosts_frames_too() {
    alone("a_full_backtrace_has_the_hosts_frames_too", &[("RUST_BACKTRACE", "full")], |bench, keep| {
        panic(&loaded(bench), "/panic");
        let lines = taken(keep);
        let traces = backtraces(&lines);
        assert_eq!(traces.len(), 1, "{lines:#?}");
        assert!(
            traces[0].contains("panics_on_purpose") && traces[0].contains("segue_loader"),
            "{}",
            traces[0]
        );
        leaves(bench);
    });
}

#[test]
fn without_debug_info_a_backtrace_names_on_load() {
    alone("without_debug_info_a_backtrace_names_on_load", &[("RUST_BACKTRACE", "1")], |bench, keep| {
        bench.runtime.load(fixture("panics-on-load", V1)).unwrap_err();
        let lines = taken(keep);
        let traces = backtraces(&lines);
        assert!(traces[0].contains("<panics_on_load::PanicsOnLoad as "), "{lines:#?}");
        assert!(traces[0].contains(">::on_load") && !traces[0].contains("lib.rs"), "{lines:#?}");
        until("it has left memory", || bench.runtime.images_mapped() == 0);
    });
}

#[test]
fn without_rust_backtrace_there_is_none() {
    alone("without_rust_backtrace_there_is_none", &[("RUST_BACKTRACE", "0")], |bench, keep| {
        panic(&loaded(bench), "/panic");
        assert_eq!(taken(keep).len(), 1, "only the panic itself");
    });
}
