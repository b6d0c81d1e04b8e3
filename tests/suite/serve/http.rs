//! Clients of the server: routes, errors, limits, and a graceful shutdown.

use std::{fs, thread};

use segue_tests::{Service, V1, V2, fixture, http, until};

use crate::SEGUE;

fn serving(modules: &[(&str, &str)], extra: &[&str]) -> Service {
    let service = Service::start(SEGUE, extra);
    for (module, version) in modules {
        service.drop_in(&fixture(module, version), &format!("lib{}.so", module.replace('-', "_")));
        service.wait_for_version(module, version);
    }
    service
}

#[test]
fn an_answer_names_its_module_and_version() {
    let service = serving(&[("greeter", V1)], &[]);
    let answer = http::get(service.address, "/greeter/ada");
    assert_eq!((answer.status, answer.text()), (200, "Hello, ada! This is greeter 1.0.0.\n"));
    assert_eq!(answer.header("x-segue-module"), Some("greeter"));
    assert_eq!(answer.header("x-segue-version"), Some("1.0.0+g1"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let missing = http::get(service.address, "/nobody/at/home");
    assert_eq!((missing.status, missing.header("x-segue-module")), (404, None));
}

#[test]
fn a_route_leads_to_its_module() {
    let service = serving(&[("greeter", V1)], &["--route", "/hello=greeter"]);
    assert_eq!(http::get(service.address, "/hello/ada").text(), "Hello, ada! This is greeter 1.0.0.\n");
}

#[test]
fn a_failed_call_is_a_500_and_its_text_is_only_in_the_log() {
    let service = serving(&[("panics-in-call", V1)], &[]);
    let mut kept = http::Connection::open(service.address);
    for (path, _) in [("/panic", "panics on purpose"), ("/fault", "fails on purpose")] {
        let answer = kept.get(&format!("/panics-in-call{path}"));
        assert_eq!(answer.status, 500);
        assert_eq!(answer.header("x-segue-module"), Some("panics-in-call"));
        assert!(!answer.text().contains("purpose"), "{}", answer.text());
        assert_eq!(kept.get("/panics-in-call/").text(), V1, "the next call on the same connection succeeds");
    }
    let (log, _) = service.stop();
    assert!(log.contains("the call panics on purpose") && log.contains("the call fails on purpose"), "{log}");
}

#[test]
fn requests_that_are_too_large_have_their_own_status() {
    let service = serving(&[("greeter", V1)], &[]);
    let address = service.address;
    for length in [20_000, 100_000] {
        assert_eq!(http::get(address, &format!("/greeter/{}", "x".repeat(length))).status, 414, "{length}");
    }
    let many = "x-many: 1\r\n".repeat(200);
    let large = format!("x-large: {}\r\n", "x".repeat(100_000));
    for headers in [many, large] {
        let request = format!("GET /greeter/ada HTTP/1.1\r\nhost: test\r\n{headers}\r\n");
        assert_eq!(http::Connection::open(address).exchange(request.as_bytes()).status, 431);
    }
    let announced = "POST /greeter/ada HTTP/1.1\r\nhost: test\r\ncontent-length: 999999999999\r\n\r\n";
    assert_eq!(http::Connection::open(address).exchange(announced.as_bytes()).status, 413);
    assert_eq!(http::get(address, "/greeter/ada").status, 200);
}

#[test]
fn a_full_queue_answers_503_with_retry_after() {
    let service = serving(&[("greeter", V1)], &["--workers", "1", "--queue", "1"]);
    let address = service.address;
    let slow: Vec<_> =
        (0..8).map(|_| thread::spawn(move || http::get(address, "/greeter/slow?wait_ms=700"))).collect();
    let answers: Vec<http::Answer> = slow.into_iter().map(|slow| slow.join().unwrap()).collect();
    let refused: Vec<&http::Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!refused.is_empty(), "one call runs, one waits, and eight were sent");
    assert!(refused.iter().all(|answer| answer.header("retry-after").is_some()));
    assert!(answers.iter().any(|answer| answer.status == 200));
}

#[test]
fn slow_calls_do_not_stop_fast_ones() {
    let service = serving(&[("greeter", V1)], &["--workers", "4"]);
    let address = service.address;
    let slow: Vec<_> =
        (0..3).map(|_| thread::spawn(move || http::get(address, "/greeter/slow?wait_ms=2000"))).collect();
    until("the calls are inside", || service.status("greeter").unwrap()["current"]["inside"] == 3);
    let mut kept = http::Connection::open(address);
    for _ in 0..50 {
        assert_eq!(kept.get("/greeter/ada").status, 200);
    }
    assert_eq!(service.status("greeter").unwrap()["current"]["inside"], 3, "the slow calls are still inside");
    slow.into_iter().for_each(|slow| assert_eq!(slow.join().unwrap().status, 200));
}

#[test]
fn a_client_that_closed_its_sending_side_is_answered() {
    let service = serving(&[("sleeper", V1)], &[]);
    for ms in [0, 5, 50] {
        let mut connection = http::Connection::open(service.address);
        connection.send(format!("GET /sleeper/?ms={ms} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes());
        connection.finish();
        assert_eq!(connection.answer().expect("there is an answer").text(), V1);
    }
}

#[test]
fn sigterm_lets_calls_inside_finish() {
    let service = serving(&[("greeter", V1)], &[]);
    let address = service.address;
    let slow = thread::spawn(move || http::get(address, "/greeter/slow?wait_ms=1500"));
    until("the call is inside", || service.status("greeter").unwrap()["current"]["inside"] == 1);
    service.signal("TERM");
    assert_eq!(slow.join().unwrap().text(), "Hello, slow! This is greeter 1.0.0.\n");
    let (status, log, home) = service.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!home.path().join("segue.sock").exists(), "the service removed its socket");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn textkit_serves_real_requests_and_its_versions_differ() {
    let service = serving(&[("textkit", V1)], &[]);
    let address = service.address;
    let table = b"# T\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
    let first = http::post(address, "/textkit/markdown", table);
    assert_eq!(first.status, 200);
    assert!(first.text().contains("<h1>T</h1>") && !first.text().contains("<table>"), "{}", first.text());
    let value = http::post(address, "/textkit/json/pointer?p=/a/1", br#"{"a":[1,{"b":2}]}"#);
    assert_eq!((value.status, value.text().trim()), (200, r#"{"b":2}"#));
    let matches = http::post(address, "/textkit/regex?re=(%3FP%3Cyear%3E%5Cd%7B4%7D)", b"in 1987 and 2026");
    assert!(matches.text().contains("1987") || matches.text().contains("\"start\":3"), "{}", matches.text());
    for (target, body) in [
        ("/textkit/json/pointer?p=/a", &b"{not json"[..]),
        ("/textkit/regex?re=(", b"x"),
        ("/textkit/json/pointer", b"{}"),
    ] {
        let refused = http::post(address, target, body);
        assert!((400..500).contains(&refused.status), "{target}: {}", refused.status);
    }
    service.drop_in(&fixture("textkit", V2), "libtextkit.so");
    service.wait_for_version("textkit", V2);
    assert!(http::post(address, "/textkit/markdown", table).text().contains("<table>"));
    assert!(
        fs::read_dir(service.home.path().join("modules")).unwrap().count() == 1,
        "the service never writes to the modules directory"
    );
}
