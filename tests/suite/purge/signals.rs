//! Signal handlers of modules: they end with their version, and a handler that chains reaches the host's.

use std::os::unix::process::ExitStatusExt;

use segue::{PinKind, VersionState};
use segue_tests::{
    Service, TestHost, V1, V2, call_with, dies_in_child, fixture, http, in_child, until, version_of_round,
    within,
};

use super::{has_handler, wait_until_one_version_is_left};
use crate::SEGUE;

#[test]
fn a_handler_installed_past_the_sdk_is_a_pin_until_another_replaces_it() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        call_with(&module, "do=chain-past");
        host.load("holder", V2).unwrap();
        let held = within("the signal is listed as a pin", || {
            let pins = host.runtime.pins("holder").unwrap();
            pins.held.into_iter().find(|held| held.pins.iter().any(|pin| pin.kind == PinKind::Signal))
        });
        assert!(held.pins[0].detail.contains("SIGUSR2"), "{held:?}");
        assert_eq!(held.status, VersionState::Pinned);
        assert_eq!(host.runtime.images_mapped(), 2, "the code of the handler is mapped");
        assert!(
            host.runtime.status("holder").unwrap().old.is_none(),
            "it is quarantined, so another version can be loaded"
        );
        call_with(&module, "do=chain-past");
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        until("it is no longer listed", || host.runtime.pins("holder").unwrap().held.is_empty());
    });
}

#[test]
fn a_chain_of_handlers_never_calls_an_unloaded_version() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        call_with(&module, "do=chain");
        for round in 1..=30 {
            host.load("holder", version_of_round(round)).unwrap();
            call_with(&module, "do=chain");
            assert_eq!(call_with(&module, "do=previous"), "0x0", "the host has no handler");
            wait_until_one_version_is_left(&host.runtime);
            call_with(&module, "do=raise");
            assert_eq!(call_with(&module, "do=count"), "1");
        }
    });
}

#[test]
fn a_handler_that_chains_calls_the_hosts() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        // The runtime handles this signal, to report crashes.
        call_with(&module, "do=chain&signal=trap");
        let hosts = call_with(&module, "do=previous");
        assert_ne!(hosts, "0x0");
        for round in 1..=3 {
            host.load("holder", version_of_round(round)).unwrap();
            call_with(&module, "do=chain&signal=trap");
            assert_eq!(call_with(&module, "do=previous"), hosts, "version {round}");
            wait_until_one_version_is_left(&host.runtime);
        }
    });
}

#[test]
fn a_handler_is_removed_with_its_version() {
    in_child(|| {
        let host = TestHost::new();
        host.load("holder", V1).unwrap();
        call_with(&host.module("holder"), "do=chain");
        assert!(has_handler(libc::SIGUSR2));
        host.load("holder", V2).unwrap();
        wait_until_one_version_is_left(&host.runtime);
        assert!(!has_handler(libc::SIGUSR2), "the host has no handler");
    });
}

#[test]
fn a_module_that_handles_sigterm_does_not_stop_the_server_from_ending() {
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&fixture("holder", V1), "libholder.so");
    service.wait_for_version("holder", V1);
    // The module chains the signal, and then ignores it.
    for query in ["do=chain&signal=term", "do=ignore&signal=term"] {
        assert_eq!(http::get(service.address, &format!("/holder/?{query}")).status, 200);
    }
    service.stop();
}

#[test]
fn a_chain_past_the_sdk_crashes_the_process() {
    let dead = dies_in_child(&[], |_| {
        let (host, module) = TestHost::serving("holder");
        call_with(&module, "do=chain-past");
        host.load("holder", V2).unwrap();
        call_with(&module, "do=chain-past");
        wait_until_one_version_is_left(&host.runtime);
        call_with(&module, "do=raise");
    });
    assert_eq!(dead.status.signal(), Some(libc::SIGSEGV), "{}", dead.stderr);
}
