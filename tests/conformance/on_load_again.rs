//! Starts of a version that is to follow another: what is there stays as it is until they agree, and after
//! they did not.

use std::{fs, thread};

use segue::{Code, Event, LoadOptions, PinKind, Policy, Source};
use segue_tests::{SIX, V1, V2, fixture, in_child, until};

use crate::house::{House, LONG, SHORT, code, get, text, told};

#[test]
fn k_on_load_update() {
    let house = House::new();
    let [first, second, third] = [V1, V2, SIX[2]].map(|version| format!("/in-{version}"));
    house.load("hooks", V1).unwrap();
    let before = house.runtime.status("hooks").unwrap().current.unwrap();
    house.script("hooks", V2, &format!("call hooks {first}\nfail after that\n"));
    assert_eq!(code(house.load("hooks", V2)), Code::OnLoadFailed);
    let after = house.runtime.status("hooks").unwrap().current.unwrap();
    assert_eq!(
        (after.generation, after.calls),
        (before.generation, before.calls + 1),
        "it was called, and stays"
    );
    assert_eq!(house.ask("hooks", &first), told(V1));
    assert!(house.ask("hooks", &second).unwrap_err().contains("has no /in-"));
    house.load("hooks", SIX[2]).unwrap();
    assert!(house.ask("hooks", &first).unwrap_err().contains("has no /in-"));
    assert_eq!(house.ask("hooks", &third), told(SIX[2]));
}

#[test]
fn k_on_load_purge() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.script("hooks", V2, "thread stop\nfail and leave a worker\n");
    assert_eq!(code(house.load("hooks", V2)), Code::OnLoadFailed);
    // Nobody can end a thread. So it is told, nobody has to wait for it, and what serves goes on.
    let status = house.runtime.status("hooks").unwrap();
    assert_eq!((status.old, status.quarantined.len()), (None, 1));
    let pins = &house.runtime.pins("hooks").unwrap().held[0].pins;
    assert!(pins[0].kind == PinKind::Thread && pins[0].detail.contains("looping"), "{pins:?}");
    assert_eq!(house.ask("hooks", "/"), told(V1));
    house.load("hooks", SIX[2]).unwrap();
    house.old_is_gone("hooks");
    house.release("stop");
    until("it has left", || house.runtime.status("hooks").unwrap().quarantined.is_empty());
    assert_eq!(house.runtime.images_mapped(), 1);
    // The control: a worker that ends in time is not told of.
    house.script("hooks", V1, "thread stop\nfail and leave a worker\n");
    assert_eq!(code(house.load("hooks", V1)), Code::OnLoadFailed);
    assert!(house.runtime.status("hooks").unwrap().quarantined.is_empty());
    let retained = house.events().iter().filter(|event| matches!(event, Event::Quarantined { .. })).count();
    assert_eq!(retained, 1);
}

#[test]
fn k_on_load_pending() {
    // In a process of its own, whose threads can be counted by their names.
    in_child("on_load_again::k_on_load_pending", || {
        let house = House::new();
        house.load("hooks", V1).unwrap();
        house.script("hooks", V2, "hang go\n");
        let order = [V2, SIX[2], SIX[3], SIX[4]];
        thread::scope(|scope| {
            let house = &house;
            let begin = |(n, version)| {
                let load = scope.spawn(move || house.follow("hooks", version).unwrap());
                until("it waits", || sleeping("load hooks") > n);
                load
            };
            let loads: Vec<_> = order.into_iter().enumerate().map(begin).collect();
            assert_eq!(
                (house.logged("load"), house.ask("hooks", "/")),
                (2, told(V1)),
                "the first of them runs alone"
            );
            house.release("go");
            loads.into_iter().for_each(|load| drop(load.join().unwrap()));
        });
        assert_eq!(house.ask("hooks", "/"), told(order[3]));
        let loaded = house.events().into_iter().filter_map(|event| match event {
            Event::Loaded { current, .. } => Some(current.version),
            _ => None,
        });
        assert_eq!(
            loaded.skip(1).collect::<Vec<_>>(),
            order,
            "they came in the order in which they had been asked for"
        );
    });
}

/// How many threads of this name sleep: the kernel's word for all that wait.
fn sleeping(name: &str) -> usize {
    let stats = fs::read_dir("/proc/self/task").unwrap();
    let stats = stats.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
    stats.filter(|stat| stat.contains(&format!("({name}) S "))).count()
}

#[test]
fn k_on_load_deleted() {
    for script in ["", "fail in vain\n", "hang for-ever\n"] {
        let house = House::new();
        house.script("hooks", V2, script);
        house.load("hooks", V1).unwrap();
        let straggler = house.module("hooks").enter_owned().unwrap();
        assert!(house.runtime.delete("hooks").unwrap().deleted);
        let old_is_protected = || {
            let report = house.runtime.soft_purge("hooks").unwrap();
            assert_eq!((report.purged, report.lingering), (false, 1));
            assert_eq!(text(straggler.call(&get("/"))), told(V1));
            assert!(house.logged(&format!("load hooks {V2}")) == 0, "there is no room for it");
        };
        old_is_protected();
        assert_eq!(code(house.load("hooks", V2)), Code::NotPurged);
        old_is_protected();
        let options = LoadOptions { policy: Policy::Wait, deadline: SHORT * 4, trial: None };
        let waiting = house.runtime.load_with(&Source::File(fixture("hooks", V2)), &options);
        assert_eq!(code(waiting), Code::Deadline);
        old_is_protected();
        // Whoever wants it at once has old put aside, and it is not lost, whatever becomes of the new one.
        let options = LoadOptions { policy: Policy::Supersede, deadline: SHORT * 20, trial: None };
        let options =
            LoadOptions { deadline: if script.is_empty() { LONG } else { options.deadline }, ..options };
        thread::scope(|scope| {
            let superseding =
                scope.spawn(|| house.runtime.load_with(&Source::File(fixture("hooks", V2)), &options));
            until("old is asked to end", || {
                house.runtime.pins("hooks").unwrap().held.iter().any(|held| !held.pins.is_empty())
            });
            if script.is_empty() {
                drop(straggler);
                assert_eq!(superseding.join().unwrap().unwrap().version, V2);
                house.old_is_gone("hooks");
                assert_eq!(house.ask("hooks", "/"), told(V2));
                return;
            }
            assert!(superseding.join().unwrap().is_err());
            assert_eq!(text(straggler.call(&get("/"))), told(V1));
            let held = |generation| {
                house.runtime.pins("hooks").unwrap().held.iter().any(|it| it.generation == generation)
            };
            assert!(held(straggler.version().generation), "the one that is in use is told of");
            drop(straggler);
            until("it has left", || !held(1));
            house.release("for-ever");
            until("all have left", || house.runtime.images_mapped() == 0);
        });
    }
}
