//! Releases while clients send as fast as they can: every request gets one correct answer, and no connection
//! breaks.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use segue_demo::client::{Clients, Loss, Plan};
use segue_tests::{Service, V1, V2, fixture, http, names_in, until};
use serde_json::Value;

use crate::SEGUE;

/// How long the clients send, in seconds; `SEGUE_TESTS_RELEASE_SECONDS` sets another duration.
fn seconds() -> u64 {
    env::var("SEGUE_TESTS_RELEASE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// The time between two releases.
const RELEASE_EVERY: Duration = Duration::from_millis(200);

fn generation(status: &Value, which: &str) -> Option<u64> {
    status[which]["generation"].as_u64()
}

#[test]
fn nothing_is_lost_while_versions_alternate_five_times_a_second() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    let follower = service.follow();
    let clients = Clients::start(Plan::new(service.address)).unwrap();
    let begun = Instant::now();
    let (mut dropped_in, mut acknowledged) = (0u32, 0u32);
    // A request that is sent after a release was acknowledged must not be answered by the version before.
    let mut listen = |clients: &Clients| {
        for (_, event) in follower.events.try_iter().filter(|(_, event)| event["event"] == "loaded") {
            if let Some(generation) = event["replaced"]["generation"].as_u64() {
                clients.retire(generation);
                acknowledged += 1;
            }
        }
    };
    while begun.elapsed() < Duration::from_secs(seconds()) {
        dropped_in += 1;
        let version = if dropped_in % 2 == 0 { V1 } else { V2 };
        service.drop_in(&fixture("greeter", version), "libgreeter.so");
        while begun.elapsed() < RELEASE_EVERY * dropped_in {
            listen(&clients);
            thread::sleep(Duration::from_millis(2));
        }
        let (_, modules) = service.command.json(&["ls"]);
        assert_eq!(modules[0]["quarantined"], Value::Array(Vec::new()), "only current and old are loaded");
    }
    let last = if dropped_in % 2 == 0 { V1 } else { V2 };
    service.wait_for_version("greeter", last);
    let outcome = clients.stop();
    println!(
        "{} requests, {dropped_in} drop-ins, {acknowledged} releases, by version {:?}",
        outcome.total(),
        outcome.by_version()
    );
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
    assert!(outcome.total() > 20 * u64::from(dropped_in), "the clients were sending: {}", outcome.total());
    // On a slow machine a drop-in may be superseded by the next one, but not each of them.
    assert!(acknowledged > dropped_in / 4, "{acknowledged} of {dropped_in} became current");

    until("the old version is unloaded", || service.status("greeter").unwrap()["old"].is_null());
    let images = mapped_images(&service);
    assert_eq!(images.len(), 1, "one image is mapped: {images:?}");
    assert_eq!(names_in(&service.home.path().join("state/stage")).len(), 1, "one private copy is left");
    let (log, home) = service.stop();
    assert!(
        names_in(&home.path().join("state/stage")).is_empty(),
        "no private copy is left after the shutdown"
    );
    assert!(!log.contains("ERROR"), "{log}");
}

/// The module images that the process has mapped, according to the kernel. The runtime itself checks the
/// dynamic linker's list; this is a check from outside.
fn mapped_images(service: &Service) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", service.pid())).unwrap();
    let mut images: Vec<String> = maps
        .lines()
        .filter_map(|line| line.split_once('/').map(|(_, path)| path.to_owned()))
        .filter(|path| path.contains("/stage/"))
        .collect();
    images.sort();
    images.dedup();
    images
}

/// Control: the same clients, with a server that is restarted instead.
#[test]
fn the_clients_notice_a_restart() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    let (address, clients) = (service.address, Clients::start(Plan::new(service.address)).unwrap());
    until("the clients are sending", || clients.progress().answered > 100);
    let (_, home) = service.stop();
    let service = Service::start_in(SEGUE, home, &address.to_string(), &[]);
    service.wait_for_version("greeter", V1);
    let answered = clients.progress().answered;
    until("the clients are sending again", || clients.progress().answered > answered + 100);
    let outcome = clients.stop();
    assert!(outcome.lost() > 0, "the clients see the requests that a restart loses");
}

/// Control: an answer of a version that was replaced.
#[test]
fn the_clients_notice_an_answer_of_a_replaced_version() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    let status = service.wait_for_version("greeter", V1);
    let clients = Clients::start(Plan::new(service.address)).unwrap();
    until("the clients are sending", || clients.progress().answered > 100);
    clients.retire(generation(&status, "current").unwrap());
    until("the clients notice", || clients.progress().lost > 0);
    let outcome = clients.stop();
    assert!(outcome.losses.keys().any(|loss| *loss == Loss::WentBack), "{:?}", outcome.losses);
}

#[test]
fn a_slow_request_is_answered_by_the_version_it_began_in() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    let address = service.address;
    let slow = thread::spawn(move || http::get(address, "/greeter/slow?wait_ms=3000"));
    until("the call is inside", || service.status("greeter").unwrap()["current"]["inside"] == 1);
    service.drop_in(&fixture("greeter", V2), "libgreeter.so");
    service.wait_for_version("greeter", V2);

    let mut kept = http::Connection::open(address);
    for _ in 0..200 {
        assert_eq!(kept.get("/greeter/ada").text(), "Hello, ada! This is greeter 1.1.0.\n");
    }
    let old = service.status("greeter").unwrap()["old"].clone();
    assert_eq!((&old["status"], &old["inside"]), (&"draining".into(), &1.into()), "{old}");
    assert!(old["oldest_ms"].as_u64().is_some(), "the age of the oldest call is known: {old}");
    let pin = old["pins"][0]["detail"].as_str().unwrap();
    assert!(pin.contains("GET /greeter/slow"), "the pin names the request: {pin}");

    let answer = slow.join().unwrap();
    assert_eq!(answer.text(), "Hello, slow! This is greeter 1.0.0.\n");
    assert!(answer.header("x-segue-version").unwrap().starts_with("1.0.0+g"));
    until("the old version is unloaded", || service.status("greeter").unwrap()["old"].is_null());
    // The time from the last call to the unload is a figure in the README, not a condition of a test.
    let (_, events) = service.command.json_lines(&["events"]);
    let purged = events.iter().find(|event| event["event"] == "purged").expect("the purge is recorded");
    println!("from the end of the last call to the unload: {} us", purged["purge_us"]);
    assert_eq!(kept.get("/greeter/ada").status, 200, "the same connection still works");
}

#[test]
fn overwriting_a_watched_file_in_place_does_not_crash_the_process() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    let clients = Clients::start(Plan::new(service.address)).unwrap();
    until("the clients are sending", || clients.progress().answered > 100);
    let file = service.home.path().join("modules/libgreeter.so");
    for _ in 0..20 {
        // Truncated and overwritten. If the file were mapped, the process would crash.
        std::fs::write(&file, vec![0xcc; 4096]).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    std::fs::copy(fixture("greeter", V2), &file).unwrap();
    service.wait_for_version("greeter", V2);
    let outcome = clients.stop();
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
    service.stop();
}
