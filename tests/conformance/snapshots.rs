//! What Erlang lacks: a set as it is at one moment, through calls from module to module too.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use segue_tests::{V1, V2};

use crate::house::{AtEnd, House, PATIENT, get, set, text, told};

const PAIR: [&str; 2] = ["hooks-a", "hooks-b"];
const ASK_THE_OTHER: &str = "/ask?module=hooks-b&path=/";

#[test]
fn a_set_is_never_seen_in_parts_through_a_snapshot() {
    const READERS: usize = 4;
    const ROUNDS: usize = 16;
    let house = House::new();
    house.load_set(&PAIR, V1).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (house, is_over) = (&house, &is_over);
        let at_end = AtEnd(is_over);
        let read = |_| {
            scope.spawn(move || {
                let (mut reads, mut seen) = (0, [false; 2]);
                while !is_over.load(Ordering::Relaxed) {
                    let snapshot = house.runtime.snapshot();
                    let mine = snapshot.version("hooks-a").unwrap().version.clone();
                    assert_eq!(snapshot.version("hooks-b").unwrap().version, mine);
                    assert_eq!(text(snapshot.call("hooks-a", &get(ASK_THE_OTHER))), told(&mine));
                    assert_eq!(text(snapshot.call("hooks-b", &get("/"))), told(&mine));
                    seen[usize::from(mine == V2)] = true;
                    reads += 1;
                }
                assert!(seen.iter().all(|seen| *seen), "it has met both");
                reads
            })
        };
        let readers: Vec<_> = (0..READERS).map(read).collect();
        for version in [V2, V1].into_iter().cycle().take(ROUNDS) {
            let loaded = house.runtime.load_set(&set(&PAIR, version), &PATIENT).unwrap();
            assert!(loaded.iter().all(|it| it.version == version));
            assert_eq!(
                house.ask("hooks-a", ASK_THE_OTHER),
                told(version),
                "who calls after it sees all of it"
            );
        }
        drop(at_end);
        let reads: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(reads > READERS);
    });
    PAIR.iter().for_each(|module| house.old_is_gone(module));
    assert_eq!(house.runtime.images_mapped(), 2);
}

#[test]
fn without_a_snapshot_a_torn_pair_can_be_seen() {
    // The control: whoever is inside one module when the set is replaced calls the other as it is then, as in
    // Erlang.
    let house = House::new();
    house.load_set(&PAIR, V1).unwrap();
    let inside = house.module("hooks-a").enter_owned().unwrap();
    let snapshot = house.runtime.snapshot();
    house.load_set(&PAIR, V2).unwrap();
    assert_eq!(inside.version().version, V1);
    assert_eq!(
        text(inside.call(&get(ASK_THE_OTHER))),
        told(V2),
        "the first of the one, the second of the other"
    );
    assert_eq!(text(snapshot.call("hooks-a", &get(ASK_THE_OTHER))), told(V1));
    // What it costs: of both, there is no room for a third until it has gone; also of the one that was not
    // called.
    assert_eq!(crate::house::code(house.load("hooks-b", V1)), segue::Code::NotPurged);
    drop((inside, snapshot));
    PAIR.iter().for_each(|module| house.old_is_gone(module));
    house.load("hooks-b", V1).unwrap();
}

#[test]
fn a_module_that_came_later_is_not_in_a_snapshot() {
    let house = House::new();
    house.load("hooks-a", V1).unwrap();
    let before = house.runtime.snapshot();
    house.load("hooks-b", V1).unwrap();
    assert!(before.version("hooks-b").is_none());
    let asked = text(before.call("hooks-a", &get(ASK_THE_OTHER))).unwrap_err();
    assert!(asked.contains("no current version"), "{asked}");
    let after = house.runtime.snapshot();
    assert_eq!(text(after.call("hooks-a", &get(ASK_THE_OTHER))), told(V1));
    // One within the other: each call is in the one that it was made through.
    assert!(text(before.call("hooks-a", &get(ASK_THE_OTHER))).is_err());
}
