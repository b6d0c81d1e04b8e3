//! Erlang's two kinds: a soft purge reports, a purge waits. Neither unloads a version under a caller.

use std::time::Duration;

use segue::PinKind;
use segue_tests::{TestHost, V1, V2, until};

#[test]
fn a_soft_purge_without_an_old_version_purges_nothing() {
    let host = TestHost::new();
    assert!(host.runtime.soft_purge("sleeper").is_err(), "there is no such module");
    host.load("sleeper", V1).unwrap();
    let report = host.runtime.soft_purge("sleeper").unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 0));
}

#[test]
fn a_soft_purge_has_no_effect_while_a_call_is_inside() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let sleeper = host.module("sleeper");
    let inside = sleeper.enter().unwrap();
    host.load("sleeper", V2).unwrap();
    let report = host.runtime.soft_purge("sleeper").unwrap();
    assert_eq!((report.purged, report.lingering), (false, 1));
    assert_eq!(report.pins[0].kind, PinKind::Call);
    assert!(host.runtime.rollback("sleeper").is_ok(), "a rollback to old is still possible");
    drop(inside);
}

#[test]
fn a_purge_waits_until_its_deadline_and_then_reports_the_pins() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let sleeper = host.module("sleeper");
    let inside = sleeper.enter().unwrap();
    host.load("sleeper", V2).unwrap();
    let report = host.runtime.purge("sleeper", Duration::from_millis(50)).unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 1));
    assert_eq!(report.pins.len(), 1);

    drop(inside);
    until("it is unloaded", || host.runtime.images_mapped() == 1);
}
