//! Soft purge and purge: what they say, what they do, and to whom they do nothing.

use std::{thread, time::Duration};

use segue::{Code, OwnedCallGuard, PinKind, Request, VersionState};
use segue_tests::{V1, V2, fixture, until};

use crate::house::{House, LONG, SHORT, code, get, text, told};

#[test]
fn k_purge() {
    let house = House::new();
    assert_eq!(code(house.runtime.purge("hooks", LONG)), Code::NotFound);
    house.load("hooks", V1).unwrap();
    assert!(!house.runtime.purge("hooks", LONG).unwrap().purged, "there is nothing to purge");
    thread::scope(|scope| {
        let straggler = scope.spawn(|| house.ask("hooks", "/stay?file=never&looks=1"));
        until("it is inside", || house.inside("hooks") == 1);
        house.load("hooks", V2).unwrap();
        thread::sleep(SHORT);
        assert!(!straggler.is_finished(), "it lives until somebody purges");
        let purged = house.runtime.purge("hooks", LONG).unwrap();
        assert!(purged.purged && purged.unmapped, "{purged:?}");
        assert_eq!((purged.lingering, purged.pins.len()), (0, 0));
        assert_eq!(straggler.join().unwrap(), told(V1), "it was asked, and came to its end");
    });
    assert!(!house.runtime.purge("hooks", LONG).unwrap().purged);
    assert_eq!((house.runtime.images_mapped(), house.logged("drop")), (1, 1));
}

#[test]
fn k_purge_many_exits() {
    const MANY: usize = 1_000;
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.load("hooks-a", V1).unwrap();
    thread::scope(|scope| {
        let house = &house;
        // On a thread each, with little stack: two thousand of them.
        let begin = |module: &'static str, target: &'static str| {
            let call = move || house.ask(module, target);
            thread::Builder::new().stack_size(128 * 1024).spawn_scoped(scope, call).unwrap()
        };
        let stragglers: Vec<_> = (0..MANY).map(|_| begin("hooks", "/stay?file=go&looks=100")).collect();
        until("they are inside", || house.inside("hooks") == MANY as u64);
        house.load("hooks", V2).unwrap();
        // Half of the others are in the version that is current, half in another module; and each would see
        // it, were it asked.
        let bystanders: Vec<_> = (0..MANY)
            .map(|n| begin(if n % 2 == 0 { "hooks" } else { "hooks-a" }, "/stay?file=go&looks=100"))
            .collect();
        let standing_by = || house.inside("hooks") + house.inside("hooks-a");
        until("they are inside", || standing_by() == MANY as u64);
        assert_eq!(house.runtime.status("hooks").unwrap().old.unwrap().inside, MANY as u64);

        let purged = house.runtime.purge("hooks", LONG).unwrap();
        assert!(purged.purged && purged.unmapped, "{purged:?}");
        for straggler in stragglers {
            assert_eq!(straggler.join().unwrap(), told(V1), "nothing was taken from under it");
        }
        assert_eq!(standing_by(), MANY as u64, "nobody else was asked");
        assert!(!bystanders.iter().any(|bystander| bystander.is_finished()));
        house.release("go");
        for (n, bystander) in bystanders.into_iter().enumerate() {
            assert_eq!(bystander.join().unwrap(), told(if n % 2 == 0 { V2 } else { V1 }));
        }
    });
    assert_eq!(house.runtime.images_mapped(), 2);
}

#[test]
fn k_soft_purge() {
    let house = House::new();
    assert_eq!(code(house.runtime.soft_purge("hooks")), Code::NotFound);
    let first = house.load("hooks", V1).unwrap();
    assert!(!house.runtime.soft_purge("hooks").unwrap().purged, "there is nothing to purge");
    thread::scope(|scope| {
        let inside = scope.spawn(|| house.ask("hooks", "/stay?file=go&looks=1"));
        until("it is inside", || house.inside("hooks") == 1);
        house.load("hooks", V2).unwrap();
        for _ in 0..3 {
            let report = house.runtime.soft_purge("hooks").unwrap();
            assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 1));
        }
        // No effect at all: nobody was asked, and old can be gone back to.
        thread::sleep(SHORT);
        assert!(!inside.is_finished());
        assert_eq!(house.runtime.status("hooks").unwrap().old.unwrap().status, VersionState::Draining);
        assert_eq!(house.runtime.rollback("hooks").unwrap().current.generation, first.generation);
        house.old_is_gone("hooks");
        house.load("hooks", V2).unwrap();
        assert!(!house.runtime.soft_purge("hooks").unwrap().purged);
        house.release("go");
        assert_eq!(inside.join().unwrap(), told(V1));
    });
    house.old_is_gone("hooks");
    // And with an old version that nobody is in and that is kept for a rollback: then it does what it is for.
    let trial = segue::Trial { length: LONG * 10, at_end: segue::TrialEnd::RollBack };
    let options = segue::LoadOptions { trial: Some(trial), ..Default::default() };
    house.runtime.load_with(&segue::Source::File(fixture("hooks", V1)), &options).unwrap();
    until("old is kept warm", || {
        house.runtime.status("hooks").unwrap().old.is_some_and(|old| old.status == VersionState::Warm)
    });
    assert!(house.runtime.soft_purge("hooks").unwrap().purged);
    assert_eq!(house.runtime.images_mapped(), 1);
}

#[test]
fn k_purge_stacktrace() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.load("holder", V1).unwrap();
    let hooks = house.module("hooks");
    let errors = ["/fault", "/panic"].map(|target| hooks.call(&get(target)).unwrap_err());
    let backtrace = Request { query: "do=backtrace", ..Request::get("/") };
    house.module("holder").call(&backtrace).unwrap();
    let before = errors.clone().map(|error| format!("{error} {:?}", error.failure()));
    assert!(before[1].contains(&format!("on purpose, in {V1}")), "{before:?}");
    for module in ["hooks", "holder"] {
        house.load(module, V2).unwrap();
        house.old_is_gone(module);
    }
    assert_eq!(house.runtime.images_mapped(), 2, "an error that somebody keeps does not keep the version");
    assert_eq!(
        errors.map(|error| format!("{error} {:?}", error.failure())),
        before,
        "and can be read ever after"
    );
}

#[test]
fn e_false_dependency() {
    const CALLERS: usize = 16;
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let hooks = house.module("hooks");
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    thread::scope(|scope| {
        let (done, all_done) = crossbeam_channel::bounded(CALLERS);
        for _ in 0..CALLERS {
            let (hooks, stopped, done) = (hooks.clone(), stopped.clone(), done.clone());
            scope.spawn(move || {
                // Deep in it, and out again; what the registers and the stack still have is nobody's
                // reference.
                for target in ["/", "/closure?n=3", "/fault", "/panic"] {
                    let _ = hooks.call(&get(target));
                    drop(hooks.enter_owned());
                }
                done.send(()).unwrap();
                let _ = stopped.recv();
            });
        }
        all_done.iter().take(CALLERS).for_each(drop);
        house.load("hooks", V2).unwrap();
        // They do nothing more, and live on.
        house.old_is_gone("hooks");
        assert_eq!((house.runtime.images_mapped(), house.logged("drop")), (1, 1));
        assert!(house.runtime.status("hooks").unwrap().quarantined.is_empty());
        drop(stop);
    });
}

#[test]
fn e_max_heap_size() {
    let house = House::built(|builder| builder.quarantine_max(1));
    house.load("hooks", V1).unwrap();
    let straggler = house.module("hooks").enter_owned().unwrap();
    house.load("hooks", V2).unwrap();
    assert_eq!(house.runtime.purge("hooks", Duration::ZERO).unwrap().lingering, 1);
    // What a purge could not take out counts, and there is a limit to it.
    let refused = house.load("hooks", V1).unwrap_err();
    assert!(matches!(refused, segue::Error::QuarantineFull { quarantined: 1, limit: 1, .. }), "{refused:?}");
    drop(straggler);
    until("it has left", || house.runtime.status("hooks").unwrap().quarantined.is_empty());
    house.load("hooks", V1).unwrap();
}

#[test]
fn r_otp_9395_check_old_code() {
    const MANY: u64 = 1_000;
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let hooks = house.module("hooks");
    let inside: Vec<OwnedCallGuard> = (0..MANY).map(|_| hooks.enter_owned().unwrap()).collect();
    assert_eq!(house.runtime.soft_purge("hooks").unwrap().lingering, 0, "none of them is in an old version");
    house.load("hooks", V2).unwrap();
    let report = house.runtime.soft_purge("hooks").unwrap();
    assert_eq!((report.purged, report.lingering), (false, MANY));
    let pins = &house.runtime.pins("hooks").unwrap().held[0].pins;
    let owned = pins.iter().find(|pin| pin.kind == PinKind::OwnedGuard).unwrap();
    assert!(owned.detail.starts_with("1000 "), "{pins:?}");
    drop(inside);
    house.old_is_gone("hooks");
    // What it costs to ask is counted by `segue-bench purge`: it does not depend on how many are inside.
}

#[test]
fn r_otp_9395_check_and_purge() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    let straggler = house.module("hooks").enter_owned().unwrap();
    house.load("hooks", V2).unwrap();
    // A dry run says what a load would do, and leaves old where it is.
    segue::check(&fixture("hooks", V1)).unwrap();
    assert_eq!(code(house.load("hooks", V1)), Code::NotPurged);
    assert_eq!(house.runtime.status("hooks").unwrap().old.unwrap().inside, 1);
    assert!(!house.runtime.soft_purge("hooks").unwrap().purged);
    drop(straggler);
    until("a purge, or nobody's call, has it gone", || {
        house.runtime.purge("hooks", LONG).unwrap();
        house.runtime.status("hooks").unwrap().old.is_none()
    });
    house.load("hooks", V1).unwrap();
}

#[test]
fn n_monitor_process_purge() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    // Nobody is inside, and a thread of the module may call back at any time.
    assert_eq!(house.ask("hooks", "/thread?file=fire"), told(V1));
    house.load("hooks", V2).unwrap();
    until("it is known what keeps it", || {
        let old = house.runtime.status("hooks").unwrap().old;
        old.is_some_and(|old| old.inside == 0 && old.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    let report = house.runtime.purge("hooks", SHORT).unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 0));
    assert_eq!(house.runtime.images_mapped(), 2, "it is not taken from under that thread");
    assert_eq!(text(house.module("hooks").call(&get("/"))), told(V2));
    house.release("fire");
    until("it has left", || house.runtime.images_mapped() == 1);
    until("and is told of no more", || house.runtime.status("hooks").unwrap().quarantined.is_empty());
}
