//! Modules that call modules.

use std::thread;

use segue::{CallerStatus, Code, ErrorObject, LoadOptions, Request, Source};
use segue_tests::{Bench, V1, V2, fixture, till::Till, until};

/// `desk`, and those that it calls.
fn house() -> Bench {
    let bench = Bench::new();
    // First the one that calls: those it calls need not be there yet.
    for module in ["desk", "till", "greeter"] {
        bench.runtime.load(fixture(module, V1)).unwrap();
    }
    bench
}

fn ask(bench: &Bench, path: &str, query: &str) -> String {
    let desk = bench.runtime.module("desk").unwrap();
    let answer = desk.call(&Request { query, ..Request::get(path) }).unwrap();
    String::from_utf8(answer.body).unwrap()
}

fn callers(bench: &Bench, module: &str) -> Vec<(Option<String>, Option<String>)> {
    let callers = bench.runtime.status(module).unwrap().callers;
    callers.into_iter().map(|CallerStatus { module, interface, .. }| (module, interface)).collect()
}

#[test]
fn a_module_calls_another_as_it_is_current() {
    let bench = house();
    assert_eq!(ask(&bench, "/echo", "text=ab"), "abab");
    assert_eq!(ask(&bench, "/ada", ""), "Hello, ada! This is greeter 1.0.0.\n");
    bench.runtime.load(fixture("greeter", V2)).unwrap();
    assert_eq!(ask(&bench, "/ada", ""), "Hello, ada! This is greeter 1.1.0.\n");
    until("old is gone", || bench.runtime.status("greeter").unwrap().old.is_none());
}

#[test]
fn who_is_not_loaded_is_an_error_of_the_call() {
    let bench = Bench::new();
    bench.runtime.load(fixture("desk", V1)).unwrap();
    let desk = bench.runtime.module("desk").unwrap();
    let error = desk.call(&Request::get("/ada")).unwrap_err();
    assert_eq!(error.to_string(), "desk 1.0.0+g1: module \"greeter\" has no current version");
    let error = desk.call(&Request::get("/echo")).unwrap_err();
    assert_eq!(error.to_string(), "desk 1.0.0+g1: module \"till\" has no current version");
    assert!(bench.runtime.status("till").is_err(), "who is only called for is not there");
}

#[test]
fn a_failure_of_the_other_is_told_to_the_one_that_calls() {
    let bench = house();
    let fault = ask(&bench, "/fault", "");
    assert!(fault.contains("Fault { module: \"till\"") && fault.contains("no change"), "{fault}");
    let panic = ask(&bench, "/panic", "");
    assert!(panic.contains("Panicked { module: \"till\"") && panic.contains("no drawer"), "{panic}");
    assert_eq!(ask(&bench, "/echo", "text=x"), "xx", "both go on");
}

#[test]
fn a_circle_of_calls_is_counted_call_by_call() {
    let bench = house();
    assert_eq!(ask(&bench, "/down", "n=50"), "50");
    let current = bench.runtime.status("desk").unwrap().current.unwrap();
    assert_eq!((current.calls, current.inside), (51, 0));
}

#[test]
fn a_call_from_a_module_keeps_the_version_that_it_is_in() {
    let bench = house();
    thread::scope(|scope| {
        let call = scope.spawn(|| ask(&bench, "/stay", "ms=500"));
        let inside = |module: &str| bench.runtime.status(module).unwrap().current.unwrap().inside;
        until("it is inside both", || (inside("desk"), inside("till")) == (1, 1));
        bench.runtime.load(fixture("till", V2)).unwrap();
        assert_eq!(bench.runtime.status("till").unwrap().old.unwrap().inside, 1);
        call.join().unwrap();
    });
    until("old is gone", || bench.runtime.status("till").unwrap().old.is_none());
}

#[test]
fn the_host_sees_who_calls_whom() {
    let bench = house();
    let desk = || Some("desk".to_owned());
    assert_eq!(callers(&bench, "till"), [(desk(), Some("Till".to_owned()))]);
    assert_eq!(callers(&bench, "greeter"), [(desk(), None)]);
    assert_eq!(callers(&bench, "desk"), [(desk(), None)]);
    let mine = bench.runtime.interface::<Till>("till").unwrap();
    assert_eq!(callers(&bench, "till").len(), 2);
    assert_eq!(callers(&bench, "till")[1], (None, Some("Till".to_owned())));
    drop(mine);
    assert_eq!(callers(&bench, "till").len(), 1);
}

#[test]
fn a_module_is_not_loaded_that_does_not_fit_another_one() {
    let bench = house();
    let error = ErrorObject::from(&bench.runtime.load(fixture("till", "changed_answer")).unwrap_err());
    assert_eq!(error.code, Code::InterfaceMismatch);
    // And the other way around: who calls is refused by what is there.
    let bench = Bench::new();
    bench.runtime.load(fixture("till", "changed_answer")).unwrap();
    let error = ErrorObject::from(&bench.runtime.load(fixture("desk", V1)).unwrap_err());
    assert_eq!(error.code, Code::OnLoadFailed);
    assert!(error.message.contains("the answer is Str<'static> for callers"), "{}", error.message);
}

#[test]
fn the_links_of_a_module_end_with_it() {
    let bench = house();
    // It never gives this one back.
    ask(&bench, "/forget", "");
    assert_eq!(callers(&bench, "till").len(), 2);
    bench.runtime.load(fixture("desk", V2)).unwrap();
    until("old is gone", || bench.runtime.status("desk").unwrap().old.is_none());
    assert_eq!(callers(&bench, "till").len(), 1, "that of the version that is current");
    // Whoever is checked now is checked against layouts that are in memory.
    bench.runtime.load(fixture("till", V2)).unwrap();
    assert_eq!(ask(&bench, "/echo", "text=y"), "yy");
}

#[test]
fn members_of_a_set_may_need_each_other_as_they_will_be() {
    let bench = Bench::new();
    bench.runtime.load(fixture("greeter", V1)).unwrap();
    bench.runtime.load(fixture("till", "not_exported")).unwrap();
    let alone = bench.runtime.load(fixture("desk", V1)).unwrap_err();
    assert_eq!(alone.code(), Code::OnLoadFailed, "its till has no drawer: {alone}");
    let set = [("desk", V1), ("till", V1)].map(|(module, version)| Source::File(fixture(module, version)));
    let loaded = bench.runtime.load_set(&set, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.iter().map(|it| it.module.as_str()).collect::<Vec<_>>(), ["desk", "till"]);
    let desk = bench.runtime.module("desk").unwrap();
    let echo = desk.call(&Request { query: "text=ab", ..Request::get("/echo") }).unwrap();
    assert_eq!(echo.body, b"abab");

    // And where the set does not come to be, nothing of it stays.
    until("old has left", || bench.runtime.status("till").unwrap().old.is_none());
    let bad = [fixture("till", "not_exported"), fixture("vetoes-load", V1)].map(Source::File);
    assert!(bench.runtime.load_set(&bad, &LoadOptions::default()).is_err());
    assert_eq!(desk.call(&Request { query: "text=ab", ..Request::get("/echo") }).unwrap().body, b"abab");
}
