//! Erlang's two: a soft purge tells, a purge waits. Neither takes anything from under a caller.

use std::time::Duration;

use segue::PinKind;
use segue_tests::{Bench, V1, V2, fixture, until};

#[test]
fn with_nothing_to_purge_the_answer_says_so() {
    let bench = Bench::new();
    assert!(bench.runtime.soft_purge("sleeper").is_err(), "there is no such module");
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let report = bench.runtime.soft_purge("sleeper").unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 0));
}

#[test]
fn a_soft_purge_has_no_effect_while_somebody_is_inside() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let sleeper = bench.runtime.module("sleeper").unwrap();
    let inside = sleeper.enter().unwrap();
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let report = bench.runtime.soft_purge("sleeper").unwrap();
    assert_eq!((report.purged, report.lingering), (false, 1));
    assert_eq!(report.pins[0].kind, PinKind::Call);
    assert!(bench.runtime.rollback("sleeper").is_ok(), "old can still be gone back to");
    drop(inside);
}

#[test]
fn a_purge_waits_for_its_deadline_and_then_says_who_lingers() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let sleeper = bench.runtime.module("sleeper").unwrap();
    let inside = sleeper.enter().unwrap();
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let report = bench.runtime.purge("sleeper", Duration::from_millis(50)).unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 1));
    assert_eq!(report.pins.len(), 1);

    drop(inside);
    until("it has left memory", || bench.runtime.images_mapped() == 1);
}
