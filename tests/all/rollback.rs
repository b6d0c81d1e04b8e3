//! Old becomes current again, by one store, while it is in memory.

use segue::{Error, Request};
use segue_tests::{Bench, V1, V2, fixture, until};

#[test]
fn old_is_current_again_and_what_was_current_leaves() {
    let bench = Bench::new();
    let first = bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let sleeper = bench.runtime.module("sleeper").unwrap();
    let inside = sleeper.enter().unwrap();
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let rolled_back = bench.runtime.rollback("sleeper").unwrap();
    assert_eq!(rolled_back.current.generation, first.generation, "it is the same load, not a new one");
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    until("what was current has left", || bench.runtime.status("sleeper").unwrap().old.is_none());
    assert_eq!(bench.runtime.images_mapped(), 1);
    drop(inside);
    assert_eq!(
        sleeper.call(&Request::get("/")).unwrap().body,
        V1.as_bytes(),
        "it did not leave as old would"
    );
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    until("and it can be replaced again", || bench.runtime.status("sleeper").unwrap().old.is_none());
}

#[test]
fn with_nothing_to_go_back_to_nothing_happens() {
    let bench = Bench::new();
    assert!(matches!(bench.runtime.rollback("sleeper"), Err(Error::NoSuchModule { .. })));
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    assert!(matches!(bench.runtime.rollback("sleeper"), Err(Error::NothingToRollBack { .. })));
    assert_eq!(
        bench.runtime.module("sleeper").unwrap().call(&Request::get("/")).unwrap().body,
        V1.as_bytes()
    );
}

#[test]
fn rolling_back_and_forth_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.runtime.load(fixture("sleeper", V1)).unwrap();
    let sleeper = bench.runtime.module("sleeper").unwrap();
    let in_first = sleeper.enter().unwrap();
    bench.runtime.load(fixture("sleeper", V2)).unwrap();
    let in_second = sleeper.enter().unwrap();
    for _ in 0..51 {
        bench.runtime.rollback("sleeper").unwrap();
    }
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    drop((in_first, in_second));
    until("one is left", || bench.runtime.images_mapped() == 1);
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
}
