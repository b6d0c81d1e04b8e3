//! Snapshots: a set as it is at one moment, also for calls from module to module. Erlang has none.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use segue_tests::{SetOnDrop, TestHost, V1, V2, WAIT_FOR_OLD, get, hooks_answer, response_text, set_of};

const PAIR: [&str; 2] = ["hooks-a", "hooks-b"];
const ASK_THE_OTHER: &str = "/ask?module=hooks-b&path=/";

#[test]
fn a_snapshot_never_shows_a_part_of_a_set() {
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
                    let version = snapshot.version("hooks-a").unwrap().version.clone();
                    assert_eq!(snapshot.version("hooks-b").unwrap().version, version);
                    assert_eq!(
                        response_text(snapshot.call("hooks-a", &get(ASK_THE_OTHER))),
                        hooks_answer(&version)
                    );
                    assert_eq!(response_text(snapshot.call("hooks-b", &get("/"))), hooks_answer(&version));
                    seen[usize::from(version == V2)] = true;
                    reads += 1;
                }
                assert!(seen.iter().all(|seen| *seen), "the reader has seen both versions");
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
                "a call after the load sees the complete set"
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
fn without_a_snapshot_a_caller_can_see_a_torn_pair() {
    // Control: a caller that is inside one module when the set is replaced calls the new version of the
    // other, as in Erlang.
    let host = TestHost::new();
    host.load_set(&PAIR, V1).unwrap();
    let inside = host.module("hooks-a").enter_owned().unwrap();
    let snapshot = host.runtime.snapshot();
    host.load_set(&PAIR, V2).unwrap();
    assert_eq!(inside.version().version, V1);
    assert_eq!(
        response_text(inside.call(&get(ASK_THE_OTHER))),
        hooks_answer(V2),
        "the first version of one, the second of the other"
    );
    assert_eq!(response_text(snapshot.call("hooks-a", &get(ASK_THE_OTHER))), hooks_answer(V1));
    // The cost: while the snapshot exists, neither module can have a third version, called or not.
    assert_eq!(segue_tests::refusal(host.load("hooks-b", V1)), segue::Code::NotPurged);
    drop((inside, snapshot));
    PAIR.iter().for_each(|module| host.wait_until_old_is_gone(module));
    host.load("hooks-b", V1).unwrap();
}

#[test]
fn a_module_loaded_later_is_not_in_a_snapshot() {
    let host = TestHost::new();
    host.load("hooks-a", V1).unwrap();
    let before = host.runtime.snapshot();
    host.load("hooks-b", V1).unwrap();
    assert!(before.version("hooks-b").is_none());
    let asked = response_text(before.call("hooks-a", &get(ASK_THE_OTHER))).unwrap_err();
    assert!(asked.contains("no current version"), "{asked}");
    let after = host.runtime.snapshot();
    assert_eq!(response_text(after.call("hooks-a", &get(ASK_THE_OTHER))), hooks_answer(V1));
    // Nested snapshots: each call uses the snapshot that it was made through.
    assert!(response_text(before.call("hooks-a", &get(ASK_THE_OTHER))).is_err());
}
