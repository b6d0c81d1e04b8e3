//! Modules that call modules.

use std::thread;

use segue::{CallerStatus, Code, ErrorObject, LoadOptions, Request, Source};
use segue_tests::{TestHost, V1, V2, fixture, till::Till, until};

/// A host with `desk` and the modules that it calls.
fn desk_host() -> TestHost {
    let host = TestHost::new();
    // `desk` first: the modules it calls need not be loaded yet.
    for module in ["desk", "till", "greeter"] {
        host.load(module, V1).unwrap();
    }
    host
}

fn ask(host: &TestHost, path: &str, query: &str) -> String {
    let desk = host.module("desk");
    let answer = desk.call(&Request { query, ..Request::get(path) }).unwrap();
    String::from_utf8(answer.body).unwrap()
}

fn callers(host: &TestHost, module: &str) -> Vec<(Option<String>, Option<String>)> {
    let callers = host.runtime.status(module).unwrap().callers;
    callers.into_iter().map(|CallerStatus { module, interface, .. }| (module, interface)).collect()
}

#[test]
fn a_module_calls_the_current_version_of_another() {
    let host = desk_host();
    assert_eq!(ask(&host, "/echo", "text=ab"), "abab");
    assert_eq!(ask(&host, "/ada", ""), "Hello, ada! This is greeter 1.0.0.\n");
    host.load("greeter", V2).unwrap();
    assert_eq!(ask(&host, "/ada", ""), "Hello, ada! This is greeter 1.1.0.\n");
    host.wait_until_old_is_gone("greeter");
}

#[test]
fn a_call_of_a_module_that_is_not_loaded_fails() {
    let host = TestHost::new();
    host.load("desk", V1).unwrap();
    let desk = host.module("desk");
    let error = desk.call(&Request::get("/ada")).unwrap_err();
    assert_eq!(error.to_string(), "desk 1.0.0+g1: module \"greeter\" has no current version");
    let error = desk.call(&Request::get("/echo")).unwrap_err();
    assert_eq!(error.to_string(), "desk 1.0.0+g1: module \"till\" has no current version");
    assert!(host.runtime.status("till").is_err(), "a module that is only called is not listed");
}

#[test]
fn a_failure_of_the_called_module_is_returned_to_the_caller() {
    let host = desk_host();
    let fault = ask(&host, "/fault", "");
    assert!(fault.contains("Fault { module: \"till\"") && fault.contains("no change"), "{fault}");
    let panic = ask(&host, "/panic", "");
    assert!(panic.contains("Panicked { module: \"till\"") && panic.contains("no drawer"), "{panic}");
    assert_eq!(ask(&host, "/echo", "text=x"), "xx", "both modules still answer");
}

#[test]
fn a_cycle_of_calls_is_counted_call_by_call() {
    let host = desk_host();
    assert_eq!(ask(&host, "/down", "n=50"), "50");
    let current = host.runtime.status("desk").unwrap().current.unwrap();
    assert_eq!((current.calls, current.inside), (51, 0));
}

#[test]
fn a_call_from_a_module_keeps_the_version_it_called() {
    let host = desk_host();
    thread::scope(|scope| {
        let call = scope.spawn(|| ask(&host, "/stay", "ms=500"));
        let inside = |module: &str| host.runtime.status(module).unwrap().current.unwrap().inside;
        until("the call is inside both modules", || (inside("desk"), inside("till")) == (1, 1));
        host.load("till", V2).unwrap();
        assert_eq!(host.runtime.status("till").unwrap().old.unwrap().inside, 1);
        call.join().unwrap();
    });
    host.wait_until_old_is_gone("till");
}

#[test]
fn status_lists_the_callers_of_a_module() {
    let host = desk_host();
    let desk = || Some("desk".to_owned());
    assert_eq!(callers(&host, "till"), [(desk(), Some("Till".to_owned()))]);
    assert_eq!(callers(&host, "greeter"), [(desk(), None)]);
    assert_eq!(callers(&host, "desk"), [(desk(), None)]);
    let of_host = host.runtime.interface::<Till>("till").unwrap();
    assert_eq!(callers(&host, "till").len(), 2);
    assert_eq!(callers(&host, "till")[1], (None, Some("Till".to_owned())));
    drop(of_host);
    assert_eq!(callers(&host, "till").len(), 1);
}

#[test]
fn a_module_that_does_not_fit_another_is_refused() {
    let host = desk_host();
    let error = ErrorObject::from(&host.load("till", "changed_answer").unwrap_err());
    assert_eq!(error.code, Code::InterfaceMismatch);
    // The other way around: the caller is refused.
    let host = TestHost::new();
    host.load("till", "changed_answer").unwrap();
    let error = ErrorObject::from(&host.load("desk", V1).unwrap_err());
    assert_eq!(error.code, Code::OnLoadFailed);
    assert!(error.message.contains("callers expect the return type to be Str<'static>"), "{}", error.message);
}

#[test]
fn the_links_of_a_version_end_with_it() {
    let host = desk_host();
    // This leaks a link.
    ask(&host, "/forget", "");
    assert_eq!(callers(&host, "till").len(), 2);
    host.load("desk", V2).unwrap();
    host.wait_until_old_is_gone("desk");
    assert_eq!(callers(&host, "till").len(), 1, "the link of the current version");
    // The next check reads only layouts that are still mapped.
    host.load("till", V2).unwrap();
    assert_eq!(ask(&host, "/echo", "text=y"), "yy");
}

#[test]
fn members_of_a_set_are_checked_against_each_others_new_versions() {
    let host = TestHost::new();
    host.load("greeter", V1).unwrap();
    host.load("till", "not_exported").unwrap();
    let alone = host.load("desk", V1).unwrap_err();
    assert_eq!(alone.code(), Code::OnLoadFailed, "the current till does not export the interface: {alone}");
    let set = [("desk", V1), ("till", V1)].map(|(module, version)| Source::File(fixture(module, version)));
    let loaded = host.runtime.load_set(&set, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.iter().map(|it| it.module.as_str()).collect::<Vec<_>>(), ["desk", "till"]);
    let desk = host.module("desk");
    let echo = desk.call(&Request { query: "text=ab", ..Request::get("/echo") }).unwrap();
    assert_eq!(echo.body, b"abab");

    // A set that is refused leaves nothing.
    host.wait_until_old_is_gone("till");
    let bad = [fixture("till", "not_exported"), fixture("vetoes-load", V1)].map(Source::File);
    assert!(host.runtime.load_set(&bad, &LoadOptions::default()).is_err());
    assert_eq!(desk.call(&Request { query: "text=ab", ..Request::get("/echo") }).unwrap().body, b"abab");
}
