//! Old becomes current again, by one store, while it is in memory.

use segue::{Error, Request};
use segue_tests::{TestHost, V1, V2, until};

#[test]
fn old_is_current_again_and_what_was_current_leaves() {
    let host = TestHost::new();
    let first = host.load("sleeper", V1).unwrap();
    let sleeper = host.module("sleeper");
    let inside = sleeper.enter().unwrap();
    host.load("sleeper", V2).unwrap();
    let rolled_back = host.runtime.rollback("sleeper").unwrap();
    assert_eq!(rolled_back.current.generation, first.generation, "it is the same load, not a new one");
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    host.wait_until_old_is_gone("sleeper");
    assert_eq!(host.runtime.images_mapped(), 1);
    drop(inside);
    assert_eq!(
        sleeper.call(&Request::get("/")).unwrap().body,
        V1.as_bytes(),
        "it did not leave as old would"
    );
    host.load("sleeper", V2).unwrap();
    host.wait_until_old_is_gone("sleeper");
}

#[test]
fn with_nothing_to_go_back_to_nothing_happens() {
    let host = TestHost::new();
    assert!(matches!(host.runtime.rollback("sleeper"), Err(Error::NoSuchModule { .. })));
    host.load("sleeper", V1).unwrap();
    assert!(matches!(host.runtime.rollback("sleeper"), Err(Error::NothingToRollBack { .. })));
    assert_eq!(host.module("sleeper").call(&Request::get("/")).unwrap().body, V1.as_bytes());
}

#[test]
fn rolling_back_and_forth_leaves_nothing_behind() {
    let host = TestHost::new();
    host.load("sleeper", V1).unwrap();
    let sleeper = host.module("sleeper");
    let in_first = sleeper.enter().unwrap();
    host.load("sleeper", V2).unwrap();
    let in_second = sleeper.enter().unwrap();
    for _ in 0..51 {
        host.runtime.rollback("sleeper").unwrap();
    }
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    drop((in_first, in_second));
    until("one version is left", || host.runtime.images_mapped() == 1);
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
}
