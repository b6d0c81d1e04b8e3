//! What Erlang lacks: a set as it is at one moment, through calls from module to module too.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use segue_tests::{SetOnDrop, TestHost, V1, V2, WAIT_FOR_OLD, get, hooks_answer, response_text, set_of};

const PAIR: [&str; 2] = ["hooks-a", "hooks-b"];
const ASK_THE_OTHER: &str = "/ask?module=hooks-b&path=/";

#[test]
fn a_set_is_never_seen_in_parts_through_a_snapshot() {
    const READERS: usize = 4;
    const ROUNDS: usize = 16;
    let host = TestHost::new();
    host.load_set(&PAIR, V1).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (host, is_over) = (&host, &is_over);
        let at_end = SetOnDrop(is_over);
        let read = |_| {
            scope.spawn(move || {
                let (mut reads, mut seen) = (0, [false; 2]);
                while !is_over.load(Ordering::Relaxed) {
                    let snapshot = host.runtime.snapshot();
                    let mine = snapshot.version("hooks-a").unwrap().version.clone();
                    assert_eq!(snapshot.version("hooks-b").unwrap().version, mine);
                    assert_eq!(
                        response_text(snapshot.call("hooks-a", &get(ASK_THE_OTHER))),
                        hooks_answer(&mine)
                    );
                    assert_eq!(response_text(snapshot.call("hooks-b", &get("/"))), hooks_answer(&mine));
                    seen[usize::from(mine == V2)] = true;
                    reads += 1;
                }
                assert!(seen.iter().all(|seen| *seen), "it has met both");
                reads
            })
        };
        let readers: Vec<_> = (0..READERS).map(read).collect();
        for version in [V2, V1].into_iter().cycle().take(ROUNDS) {
            let loaded = host.runtime.load_set(&set_of(&PAIR, version), &WAIT_FOR_OLD).unwrap();
            assert!(loaded.iter().all(|it| it.version == version));
            assert_eq!(
                host.ask("hooks-a", ASK_THE_OTHER),
                hooks_answer(version),
                "who calls after it sees all of it"
            );
        }
        drop(at_end);
        let reads: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(reads > READERS);
    });
    PAIR.iter().for_each(|module| host.wait_until_old_is_gone(module));
    assert_eq!(host.runtime.images_mapped(), 2);
}

#[test]
fn without_a_snapshot_a_torn_pair_can_be_seen() {
    // The control: whoever is inside one module when the set is replaced calls the other as it is then, as in
    // Erlang.
    let host = TestHost::new();
    host.load_set(&PAIR, V1).unwrap();
    let inside = host.module("hooks-a").enter_owned().unwrap();
    let snapshot = host.runtime.snapshot();
    host.load_set(&PAIR, V2).unwrap();
    assert_eq!(inside.version().version, V1);
    assert_eq!(
        response_text(inside.call(&get(ASK_THE_OTHER))),
        hooks_answer(V2),
        "the first of the one, the second of the other"
    );
    assert_eq!(response_text(snapshot.call("hooks-a", &get(ASK_THE_OTHER))), hooks_answer(V1));
    // What it costs: of both, there is no room for a third until it has gone; also of the one that was not
    // called.
    assert_eq!(segue_tests::refusal(host.load("hooks-b", V1)), segue::Code::NotPurged);
    drop((inside, snapshot));
    PAIR.iter().for_each(|module| host.wait_until_old_is_gone(module));
    host.load("hooks-b", V1).unwrap();
}

#[test]
fn a_module_that_came_later_is_not_in_a_snapshot() {
    let host = TestHost::new();
    host.load("hooks-a", V1).unwrap();
    let before = host.runtime.snapshot();
    host.load("hooks-b", V1).unwrap();
    assert!(before.version("hooks-b").is_none());
    let asked = response_text(before.call("hooks-a", &get(ASK_THE_OTHER))).unwrap_err();
    assert!(asked.contains("no current version"), "{asked}");
    let after = host.runtime.snapshot();
    assert_eq!(response_text(after.call("hooks-a", &get(ASK_THE_OTHER))), hooks_answer(V1));
    // One within the other: each call is in the one that it was made through.
    assert!(response_text(before.call("hooks-a", &get(ASK_THE_OTHER))).is_err());
}
