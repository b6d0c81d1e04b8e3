//! A rollback while the old version is loaded: one store makes it current again.

use segue::{Error, Request};
use segue_tests::{TestHost, V1, V2, until};

#[test]
fn a_rollback_makes_old_current_and_unloads_the_other() {
    let host = TestHost::new();
    let first = host.load("sleeper", V1).unwrap();
    let sleeper = host.module("sleeper");
    let inside = sleeper.enter().unwrap();
    host.load("sleeper", V2).unwrap();
    let rolled_back = host.runtime.rollback("sleeper").unwrap();
    assert_eq!(rolled_back.current.generation, first.generation, "it is the same instance, not a new load");
    assert_eq!(sleeper.call(&Request::get("/")).unwrap().body, V1.as_bytes());
    host.wait_until_old_is_gone("sleeper");
    assert_eq!(host.runtime.images_mapped(), 1);
    drop(inside);
    assert_eq!(
        sleeper.call(&Request::get("/")).unwrap().body,
        V1.as_bytes(),
        "it stays loaded after its last old call"
    );
    host.load("sleeper", V2).unwrap();
    host.wait_until_old_is_gone("sleeper");
}

#[test]
fn a_rollback_without_an_old_version_changes_nothing() {
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
