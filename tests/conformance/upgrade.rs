//! What a version is told of its own life: one start, calls, one end; and never a call before or after.

use segue::LoadOptions;
use segue_tests::{V1, V2};

use crate::house::{House, get, set, text, told};

/// The two versions, one after the other and back, with a session that stays in the first; loaded in this
/// way.
fn there_and_back(house: &House, load: impl Fn(&House, &str) -> u64) {
    let first = load(house, V1);
    let hooks = house.module("hooks");
    let session = hooks.enter_owned().unwrap();
    let second = load(house, V2);
    assert_eq!(house.log(), [format!("load hooks {V1}+g{first}"), format!("load hooks {V2}+g{second}")]);
    assert_eq!((text(session.call(&get("/"))), text(hooks.call(&get("/")))), (told(V1), told(V2)));
    assert!(!house.runtime.soft_purge("hooks").unwrap().purged, "it is in use");
    assert_eq!(text(session.call(&get("/"))), told(V1), "and nothing has happened to it");
    assert_eq!(house.logged("drop"), 0);
    drop(session);
    house.old_is_gone("hooks");
    assert_eq!(house.log()[2..], [format!("drop hooks {V1}+g{first}")]);
    // From an instance that was deleted.
    let session = hooks.enter_owned().unwrap();
    house.runtime.delete("hooks").unwrap();
    assert_eq!(text(session.call(&get("/"))), told(V2));
    drop(session);
    house.old_is_gone("hooks");
    assert_eq!(house.log()[3..], [format!("drop hooks {V2}+g{second}")]);
    // And the other way around.
    let third = load(house, V2);
    let fourth = load(house, V1);
    house.old_is_gone("hooks");
    let after = [
        format!("load hooks {V2}+g{third}"),
        format!("load hooks {V1}+g{fourth}"),
        format!("drop hooks {V2}+g{third}"),
    ];
    assert_eq!(house.log()[4..], after);
    assert_eq!(house.runtime.images_mapped(), 1);
}

#[test]
fn n_upgrade() {
    let house = House::new();
    there_and_back(&house, |house, version| house.load("hooks", version).unwrap().generation);
}

#[test]
fn n_t_on_load() {
    // From an `on_load` that calls what is current, as a member of a set, and with what it remembers.
    let house = House::new();
    for version in [V1, V2] {
        house.script("hooks", version, "call hooks /\n");
    }
    there_and_back(&house, |house, version| {
        let options = LoadOptions::default();
        house.runtime.load_set(&set(&["hooks"], version), &options).unwrap().remove(0).generation
    });
    assert_eq!(house.ask("hooks", "/remembered"), told(V2), "the one before the last was asked");
}
