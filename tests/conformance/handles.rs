//! What callers keep: handles, guards, and what a version that has gone has answered them.

use std::thread;

use segue::{Code, Error, Phase};
use segue_tests::{V1, V2, till::Till, until};

use crate::house::{House, LONG, SHORT, code, get, text, told};

#[test]
fn e_external_fun() {
    let house = House::new();
    // Made before there is the module that it is for, and asked in vain.
    house.script("hooks-a", V1, "call hooks-b /\n");
    house.load("hooks-a", V1).unwrap();
    let late = || house.ask("hooks-a", "/ask?module=hooks-b&path=/");
    assert!(late().unwrap_err().contains("no current version"));
    assert!(matches!(house.runtime.module("hooks-b"), Err(Error::NoSuchModule { .. })));
    house.load("hooks-b", V1).unwrap();
    assert_eq!(late(), told(V1));
    // The same handle goes with the module, over all that happens to it.
    let handle = house.module("hooks-b");
    house.load("hooks-b", V2).unwrap();
    assert_eq!((text(handle.call(&get("/"))), late()), (told(V2), told(V2)));
    house.old_is_gone("hooks-b");
    house.runtime.delete("hooks-b").unwrap();
    assert!(handle.enter().is_err() && late().is_err());
    house.old_is_gone("hooks-b");
    house.load("hooks-b", V1).unwrap();
    assert_eq!((text(handle.call(&get("/"))), late()), (told(V1), told(V1)));
}

#[test]
fn e_constant_pools() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.load("till", V1).unwrap();
    let hooks = house.module("hooks");
    let till = house.runtime.interface::<Till>("till").unwrap();
    // Of all kinds: what was answered, why nothing was, who answered, and what is in the module's own
    // constants.
    let kept = || {
        let guard = hooks.enter().unwrap();
        let answered = guard.call(&get("/")).unwrap();
        let errors = ["/fault", "/panic"].map(|target| guard.call(&get(target)).unwrap_err());
        let till = till.enter().unwrap();
        (answered, errors, guard.version().clone(), till.literal().unwrap(), till.receipts(50).unwrap())
    };
    let (parked, in_flight) = (kept(), kept());
    let before = format!("{parked:?}");
    let (send, received) = crossbeam_channel::unbounded();
    let (go, may_go) = crossbeam_channel::bounded::<()>(0);
    thread::scope(|scope| {
        // With a thread that sleeps, and in a message that nobody has received.
        let sleeper = scope.spawn(move || {
            let _ = may_go.recv();
            format!("{parked:?}")
        });
        send.send(in_flight).unwrap();
        for module in ["hooks", "till"] {
            house.load(module, V2).unwrap();
            house.old_is_gone(module);
        }
        assert_eq!(house.runtime.images_mapped(), 2, "none of it keeps the version");
        drop(go);
        assert_eq!(sleeper.join().unwrap(), before);
        let (answered, _, version, literal, receipts) = received.recv().unwrap();
        assert_eq!((text(Ok(answered)), version.version.as_str()), (told(V1), V1));
        assert_eq!((&*literal, receipts.len()), ("a literal of the module", 50));
    });
    // The control: what is inside does.
    let inside = house.module("hooks").enter_owned().unwrap();
    house.load("hooks", V1).unwrap();
    assert_eq!(house.runtime.images_mapped(), 3);
    drop(inside);
}

#[test]
fn n_resource_takeover() {
    let house = House::new();
    // A first load that fails leaves nothing: nobody can have anything of it.
    house.script("hooks", V1, "fail in vain\n");
    assert_eq!(code(house.load("hooks", V1)), Code::OnLoadFailed);
    assert_eq!((house.runtime.images_mapped(), house.staged(), house.log().len()), (0, 0, 2));
    assert_eq!(house.logged("drop"), 1, "what had begun to be has ended");
    house.script("hooks", V1, "");
    house.load("hooks", V1).unwrap();
    // Objects that live on in other hands postpone the end until the last of them has gone, on whatever
    // thread.
    let mut objects: Vec<_> = (0..3).map(|_| house.module("hooks").enter_owned().unwrap()).collect();
    house.load("hooks", V2).unwrap();
    let report = house.runtime.purge("hooks", SHORT).unwrap();
    assert_eq!((report.purged, report.lingering), (false, 3));
    while let Some(object) = objects.pop() {
        assert_eq!((house.runtime.images_mapped(), house.logged("drop")), (2, 1));
        thread::scope(|scope| {
            scope.spawn(move || {
                assert_eq!(text(object.call(&get("/"))), told(V1));
                drop(object);
            });
        });
    }
    until("it has left", || house.runtime.images_mapped() == 1);
    assert_eq!(house.logged("drop"), 2, "its own end was once");
    // A later one that fails changes nothing for who lives.
    house.script("hooks", V1, "panic in vain\n");
    let object = house.module("hooks").enter_owned().unwrap();
    assert_eq!(code(house.load("hooks", V1)), Code::OnLoadFailed);
    assert_eq!(text(object.call(&get("/"))), told(V2));
}

#[test]
fn e_call_purged_fun_code_gone() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let hooks = house.module("hooks");
    for phase in [Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended, Phase::Unmapped] {
        house.gate.close("hooks", phase);
        let deleted = house.runtime.delete("hooks").unwrap();
        assert_eq!(house.gate.holds(), deleted.old.unwrap().generation);
        // In Erlang they are suspended until it is over. Here they are told at once, at every phase, and
        // never meet what leaves.
        for _ in 0..3 {
            assert!(text(hooks.call(&get("/"))).unwrap_err().contains("no current version"), "{phase:?}");
            assert!(hooks.enter_owned().is_err(), "{phase:?}");
        }
        house.gate.open();
        house.old_is_gone("hooks");
        assert!(hooks.enter().is_err());
        house.load("hooks", V1).unwrap();
        assert_eq!(text(hooks.call(&get("/"))), told(V1));
    }
}

#[test]
fn e_call_purged_fun_code_reload() {
    let house = House::new();
    let mut current = V1;
    house.load("hooks", current).unwrap();
    let hooks = house.module("hooks");
    for phase in [Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended, Phase::Unmapped] {
        let next = if current == V1 { V2 } else { V1 };
        house.gate.close("hooks", phase);
        house.load("hooks", next).unwrap();
        house.gate.holds();
        for _ in 0..3 {
            assert_eq!(text(hooks.call(&get("/"))), told(next), "at {phase:?} they call what is current");
        }
        house.gate.open();
        house.old_is_gone("hooks");
        assert_eq!(text(hooks.call(&get("/"))), told(next));
        current = next;
    }
    assert_eq!(house.runtime.images_mapped(), 1);
}

#[test]
fn e_call_purged_fun_there() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let closure = house.module("hooks").enter_owned().unwrap();
    let call = || text(closure.call(&get("/closure?n=2"))).unwrap();
    house.load("hooks", V2).unwrap();
    // A purge that cannot be: it answers on the old one, before, during and after.
    thread::scope(|scope| {
        let purging = scope.spawn(|| house.runtime.purge("hooks", SHORT * 4).unwrap());
        let soft = house.runtime.soft_purge("hooks").unwrap();
        assert!(!soft.purged);
        while !purging.is_finished() {
            assert_eq!(call(), format!("2 of {V1}"));
        }
        assert!(!purging.join().unwrap().purged);
    });
    assert_eq!(call(), format!("2 of {V1}"));
    drop(closure);
    until("it has left", || house.runtime.images_mapped() == 1);
    assert!(house.runtime.shutdown(LONG).is_ok());
}
