//! A module's panics reach the host with message, place and, if asked for, backtrace, whatever hook it sets.

use segue::{CallFailure, ModuleHandle, Request};
use segue_tests::{V1, until};

use super::capture::{alone, leaves, line_of, loaded, text};

/// The message, the file and the line of the panic of a call.
fn panic(module: &ModuleHandle, path: &str) -> (String, String, u32) {
    match module.call(&Request::get(path)).unwrap_err().failure() {
        CallFailure::Panicked { message, file, line, .. } => (message.clone(), file.clone(), *line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_hook_of_its_own_runs_and_costs_the_host_nothing() {
    let stderr = alone(&[("LOGGERS", "hook")], |host, capture| {
        let module = loaded(host);
        let line = line_of("it panics on purpose");
        // Set in `on_load`, then by each call. A chain runs the hook before it, too; a drop leaves none.
        let cases =
            [("/", "1"), ("/hook", "2"), ("/chain", "4"), ("/hook", "5"), ("/drop", "5"), ("/chain", "6")];
        for (set, ran) in cases {
            text(&module, set);
            capture.take();
            let (message, file, at) = panic(&module, "/panic");
            assert_eq!((&*message, at), ("it panics on purpose", line), "after {set}");
            assert!(file.ends_with("loggers/src/lib.rs"), "{file}");
            assert_eq!(text(&module, "/ran"), ran, "after {set}");
            let lines = capture.take();
            assert_eq!(lines.len(), 1, "after {set}: {lines:#?}");
            assert!(lines[0].contains(&format!("lib.rs:{line}: it panics on purpose")), "{lines:?}");
        }
        leaves(host);
    });
    assert!(!stderr.contains("on purpose"), "the standard hook has printed, too: {stderr}");
}

#[test]
fn a_hook_that_keeps_the_runtimes_costs_one_place_at_most() {
    alone(&[], |host, capture| {
        let module = loaded(host);
        text(&module, "/keep");
        let (message, _, line) = panic(&module, "/panic");
        assert!(message.starts_with("it panics on purpose (location unknown"), "{message}");
        assert_eq!(line, 0);
        assert!(capture.take()[0].contains("it panics on purpose"));
        let (message, _, line) = panic(&module, "/panic");
        assert_eq!((&*message, line), ("it panics on purpose", line_of("it panics on purpose")));
        assert_eq!(text(&module, "/ran"), "2");
        leaves(host);
    });
}

#[test]
fn a_resumed_panic_is_told_with_its_message() {
    alone(&[], |host, capture| {
        let module = loaded(host);
        for _ in 0..2 {
            let (message, _, _) = panic(&module, "/resume");
            assert!(message.starts_with("resumed on purpose (location unknown"), "{message}");
            assert_eq!(capture.take().len(), 1);
        }
        // The hook is still one: the host is told once.
        assert_eq!(panic(&module, "/panic").0, "it panics on purpose");
        assert_eq!(capture.take().len(), 1);
        leaves(host);
    });
}

/// The backtraces among these records.
fn backtraces(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.contains("backtrace of the panic")).collect()
}

#[test]
fn a_backtrace_comes_with_module_and_version() {
    let place = format!("fixtures/loggers/src/lib.rs:{}:", line_of("it panics on purpose"));
    alone(&[("RUST_BACKTRACE", "1"), ("LOGGERS", "hook")], |host, capture| {
        panic(&loaded(host), "/panic");
        let lines = capture.take();
        let traces = backtraces(&lines);
        assert_eq!((traces.len(), lines.len()), (1, 2), "{lines:#?}");
        for part in [r#"module="loggers" version="1.0.0""#, "panics_on_purpose", &place, "segue_sdk"] {
            assert!(traces[0].contains(part), "no {part} in {}", traces[0]);
        }
        assert!(!traces[0].contains("segue_loader"), "the host's frames say nothing: {}", traces[0]);
        leaves(host);
    });
}

#[test]
fn a_full_backtrace_has_the_hosts_frames_too() {
    alone(&[("RUST_BACKTRACE", "full")], |host, capture| {
        panic(&loaded(host), "/panic");
        let lines = capture.take();
        let traces = backtraces(&lines);
        assert_eq!(traces.len(), 1, "{lines:#?}");
        assert!(
            traces[0].contains("panics_on_purpose") && traces[0].contains("segue_loader"),
            "{}",
            traces[0]
        );
        leaves(host);
    });
}

#[test]
fn without_debug_info_a_backtrace_names_on_load() {
    alone(&[("RUST_BACKTRACE", "1")], |host, capture| {
        host.load("panics-on-load", V1).unwrap_err();
        let lines = capture.take();
        let traces = backtraces(&lines);
        assert!(traces[0].contains("<panics_on_load::PanicsOnLoad as "), "{lines:#?}");
        assert!(traces[0].contains(">::on_load") && !traces[0].contains("lib.rs"), "{lines:#?}");
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    });
}

#[test]
fn without_rust_backtrace_there_is_none() {
    alone(&[("RUST_BACKTRACE", "0")], |host, capture| {
        panic(&loaded(host), "/panic");
        assert_eq!(capture.take().len(), 1, "only the panic itself");
    });
}
