//! Signals to `segue serve`, while a request is inside.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use segue_tests::{Service, V1, fixture, http, until};

use crate::SEGUE;

/// A service with a module that sleeps in its calls.
fn sleepy_service(extra: &[&str]) -> Service {
    let service = Service::start(SEGUE, extra);
    service.drop_in(&fixture("sleeper", V1), "libsleeper.so");
    service.wait_for_version("sleeper", V1);
    service
}

fn wait_until_inside(service: &Service) {
    until("the request is inside", || {
        service.status("sleeper").is_some_and(|status| status["current"]["inside"] == 1)
    });
}

/// Sends a request whose call takes longer than any test waits, and returns what arrives until the connection
/// closes.
fn response_until_closed(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /sleeper/?ms=600000 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut response = String::new();
    // A reset is an error, and closes the connection too.
    let _ = stream.read_to_string(&mut response);
    response
}

#[test]
fn hup_usr1_and_usr2_do_not_end_the_service() {
    let service = sleepy_service(&[]);
    let address = service.address;
    let request = thread::spawn(move || http::get(address, "/sleeper/?ms=500").status);
    wait_until_inside(&service);
    for signal in ["HUP", "USR1", "USR2"] {
        service.signal(signal);
    }
    assert_eq!(request.join().unwrap(), 200);
    let (log, _) = service.stop();
    for signal in ["SIGHUP", "SIGUSR1", "SIGUSR2"] {
        assert!(log.contains(&format!("{signal} is ignored")), "{log}");
    }
}

#[test]
fn quit_stops_the_service_after_its_requests() {
    let service = sleepy_service(&[]);
    let address = service.address;
    let request = thread::spawn(move || http::get(address, "/sleeper/?ms=500").status);
    wait_until_inside(&service);
    service.signal("QUIT");
    assert_eq!(request.join().unwrap(), 200);
    let (status, log, _) = service.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_stop_waits_for_requests_no_longer_than_drain() {
    let service = sleepy_service(&["--drain", "200ms"]);
    let address = service.address;
    let request = thread::spawn(move || response_until_closed(address));
    wait_until_inside(&service);
    service.signal("TERM");
    let (status, log, _) = service.wait();
    assert_eq!(status.code(), Some(5), "{log}");
    assert_eq!(request.join().unwrap(), "", "the connection is cut");
}
