//! A killed service leaves nothing that stops the next one.

use segue_tests::{Service, V1, fixture, http, names_in};

use crate::SEGUE;

#[test]
fn the_start_after_a_kill_cleans_up_and_serves() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("greeter", V1), "libgreeter.so");
    service.wait_for_version("greeter", V1);
    service.signal("KILL");
    let (_, _, home) = service.wait();
    let stage = home.path().join("state/stage");
    assert_eq!(names_in(&stage).len(), 1, "the private copy is left");
    assert!(home.path().join("segue.sock").exists());
    let left = names_in(&stage);

    let service = Service::start_in(SEGUE, home, "127.0.0.1:0", &[]);
    service.wait_for_version("greeter", V1);
    assert_eq!(http::get(service.address, "/greeter/ada").status, 200);
    let stage = names_in(&service.home.path().join("state/stage"));
    assert_eq!(stage.len(), 1);
    assert_ne!(stage, left, "the private copy is a new one");
}

#[test]
fn a_second_service_on_the_same_directories_is_refused() {
    let service = Service::start(SEGUE, &[]);
    let state = service.home.path().join("state");
    let second = service.command.run([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--state",
        state.to_str().unwrap(),
        "--modules",
        service.home.path().join("modules").to_str().unwrap(),
        "--control",
        service.home.path().join("other.sock").to_str().unwrap(),
    ]);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(second.stderr.contains("another runtime uses this state directory"), "{second:?}");
    service.stop();
}
