//! Panics of a module reach the host with message, location and, on request, a backtrace, whatever hook it
//! sets.

use segue::{CallFailure, ModuleHandle, Request};
use segue_tests::{V1, until};

use super::capture::{call, check_unload, line_of, loaded, with_capture};

/// Makes a call that panics; returns the message, the file and the line.
fn panic(module: &ModuleHandle, path: &str) -> (String, String, u32) {
    match module.call(&Request::get(path)).unwrap_err().failure() {
        CallFailure::Panicked { message, file, line, .. } => (message.clone(), file.clone(), *line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_hook_of_a_module_runs_and_the_host_still_gets_the_panic() {
    let stderr = with_capture(&[("LOGGERS", "hook")], |host, capture| {
        let module = loaded(host);
        let line = line_of("it panics on purpose");
        // The hook is set in `on_load`, then by each call. A chain also runs the hook before it; a drop
        // leaves none.
        let cases =
            [("/", "1"), ("/hook", "2"), ("/chain", "4"), ("/hook", "5"), ("/drop", "5"), ("/chain", "6")];
        for (set, ran) in cases {
            call(&module, set);
            capture.take();
            let (message, file, at) = panic(&module, "/panic");
            assert_eq!((&*message, at), ("it panics on purpose", line), "after {set}");
            assert!(file.ends_with("loggers/src/lib.rs"), "{file}");
            assert_eq!(call(&module, "/ran"), ran, "after {set}");
            let lines = capture.take();
            assert_eq!(lines.len(), 1, "after {set}: {lines:#?}");
            assert!(lines[0].contains(&format!("lib.rs:{line}: it panics on purpose")), "{lines:?}");
        }
        check_unload(host);
    });
    assert!(!stderr.contains("on purpose"), "the standard hook must not print: {stderr}");
}

#[test]
fn a_hook_that_takes_the_runtimes_hook_loses_at_most_one_location() {
    with_capture(&[], |host, capture| {
        let module = loaded(host);
        call(&module, "/keep");
        let (message, _, line) = panic(&module, "/panic");
        assert!(message.starts_with("it panics on purpose (location unknown"), "{message}");
        assert_eq!(line, 0);
        assert!(capture.take()[0].contains("it panics on purpose"));
        let (message, _, line) = panic(&module, "/panic");
        assert_eq!((&*message, line), ("it panics on purpose", line_of("it panics on purpose")));
        assert_eq!(call(&module, "/ran"), "2");
        check_unload(host);
    });
}

#[test]
fn a_resumed_panic_is_reported_with_its_message() {
    with_capture(&[], |host, capture| {
        let module = loaded(host);
        for _ in 0..2 {
            let (message, _, _) = panic(&module, "/resume");
            assert!(message.starts_with("resumed on purpose (location unknown"), "{message}");
            assert_eq!(capture.take().len(), 1);
        }
        // There is still one hook, so the host gets one report.
        assert_eq!(panic(&module, "/panic").0, "it panics on purpose");
        assert_eq!(capture.take().len(), 1);
        check_unload(host);
    });
}

/// The backtraces among these records.
fn backtraces(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.contains("backtrace of the panic")).collect()
}

#[test]
fn a_backtrace_names_module_and_version() {
    let place = format!("fixtures/loggers/src/lib.rs:{}:", line_of("it panics on purpose"));
    with_capture(&[("RUST_BACKTRACE", "1"), ("LOGGERS", "hook")], |host, capture| {
        panic(&loaded(host), "/panic");
        let lines = capture.take();
        let traces = backtraces(&lines);
        assert_eq!((traces.len(), lines.len()), (1, 2), "{lines:#?}");
        for part in [r#"module="loggers" version="1.0.0""#, "panics_on_purpose", &place, "segue_sdk"] {
            assert!(traces[0].contains(part), "no {part} in {}", traces[0]);
        }
        assert!(!traces[0].contains("segue_loader"), "the frames of the host are left out: {}", traces[0]);
        check_unload(host);
    });
}

#[test]
fn a_full_backtrace_has_the_frames_of_the_host() {
    with_capture(&[("RUST_BACKTRACE", "full")], |host, capture| {
        panic(&loaded(host), "/panic");
        let lines = capture.take();
        let traces = backtraces(&lines);
        assert_eq!(traces.len(), 1, "{lines:#?}");
        assert!(
            traces[0].contains("panics_on_purpose") && traces[0].contains("segue_loader"),
            "{}",
            traces[0]
        );
        check_unload(host);
    });
}

#[test]
fn without_debug_info_a_backtrace_names_on_load() {
    with_capture(&[("RUST_BACKTRACE", "1")], |host, capture| {
        host.load("panics-on-load", V1).unwrap_err();
        let lines = capture.take();
        let traces = backtraces(&lines);
        assert!(traces[0].contains("<panics_on_load::PanicsOnLoad as "), "{lines:#?}");
        assert!(traces[0].contains(">::on_load") && !traces[0].contains("lib.rs"), "{lines:#?}");
        until("it is unloaded", || host.runtime.images_mapped() == 0);
    });
}

#[test]
fn there_is_no_backtrace_without_rust_backtrace() {
    with_capture(&[("RUST_BACKTRACE", "0")], |host, capture| {
        panic(&loaded(host), "/panic");
        assert_eq!(capture.take().len(), 1, "only the panic is logged");
    });
}
