//! What a soft purge and a purge do to calls and threads in the old version, and to those elsewhere.

use std::{thread, time::Duration};

use segue::{Code, OwnedCallGuard, PinKind, Request, VersionState};
use segue_tests::{LONG, SHORT, TestHost, V1, V2, fixture, get, hooks_answer, refusal, response_text, until};

#[test]
fn otp_07_a_purge_asks_stragglers_to_end() {
    let host = TestHost::new();
    assert_eq!(refusal(host.runtime.purge("hooks", LONG)), Code::NotFound);
    host.load("hooks", V1).unwrap();
    assert!(!host.runtime.purge("hooks", LONG).unwrap().purged, "there is nothing to purge");
    thread::scope(|scope| {
        let straggler = scope.spawn(|| host.ask("hooks", "/stay?file=never&looks=1"));
        until("the call is inside", || host.calls_inside("hooks") == 1);
        host.load("hooks", V2).unwrap();
        thread::sleep(SHORT);
        assert!(!straggler.is_finished(), "it runs until a purge");
        let purged = host.runtime.purge("hooks", LONG).unwrap();
        assert!(purged.purged && purged.unmapped, "{purged:?}");
        assert_eq!((purged.lingering, purged.pins.len()), (0, 0));
        assert_eq!(straggler.join().unwrap(), hooks_answer(V1), "it was asked to end, and did");
    });
    assert!(!host.runtime.purge("hooks", LONG).unwrap().purged);
    assert_eq!((host.runtime.images_mapped(), host.logged("drop")), (1, 1));
}

#[test]
fn otp_08_a_purge_asks_only_the_stragglers_of_the_old_version() {
    const MANY: usize = 1_000;
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.load("hooks-a", V1).unwrap();
    thread::scope(|scope| {
        let host = &host;
        // Two thousand threads, so each has a small stack.
        let start = |module: &'static str, target: &'static str| {
            let call = move || host.ask(module, target);
            thread::Builder::new().stack_size(128 * 1024).spawn_scoped(scope, call).unwrap()
        };
        let stragglers: Vec<_> = (0..MANY).map(|_| start("hooks", "/stay?file=go&looks=100")).collect();
        until("the calls are inside", || host.calls_inside("hooks") == MANY as u64);
        host.load("hooks", V2).unwrap();
        // Half of the bystanders are in the current version, half in another module. Each checks whether it
        // is asked to end.
        let bystanders: Vec<_> = (0..MANY)
            .map(|n| start(if n % 2 == 0 { "hooks" } else { "hooks-a" }, "/stay?file=go&looks=100"))
            .collect();
        let standing_by = || host.calls_inside("hooks") + host.calls_inside("hooks-a");
        until("the calls are inside", || standing_by() == MANY as u64);
        assert_eq!(host.runtime.status("hooks").unwrap().old.unwrap().inside, MANY as u64);

        let purged = host.runtime.purge("hooks", LONG).unwrap();
        assert!(purged.purged && purged.unmapped, "{purged:?}");
        for straggler in stragglers {
            assert_eq!(straggler.join().unwrap(), hooks_answer(V1), "its version stayed loaded");
        }
        assert_eq!(standing_by(), MANY as u64, "no bystander was asked to end");
        assert!(!bystanders.iter().any(|bystander| bystander.is_finished()));
        host.release("go");
        for (n, bystander) in bystanders.into_iter().enumerate() {
            assert_eq!(bystander.join().unwrap(), hooks_answer(if n % 2 == 0 { V2 } else { V1 }));
        }
    });
    assert_eq!(host.runtime.images_mapped(), 2);
}

#[test]
fn otp_09_a_soft_purge_does_nothing_while_a_call_is_inside() {
    let host = TestHost::new();
    assert_eq!(refusal(host.runtime.soft_purge("hooks")), Code::NotFound);
    let first = host.load("hooks", V1).unwrap();
    assert!(!host.runtime.soft_purge("hooks").unwrap().purged, "there is nothing to purge");
    thread::scope(|scope| {
        let inside = scope.spawn(|| host.ask("hooks", "/stay?file=go&looks=1"));
        until("the call is inside", || host.calls_inside("hooks") == 1);
        host.load("hooks", V2).unwrap();
        for _ in 0..3 {
            let report = host.runtime.soft_purge("hooks").unwrap();
            assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 1));
        }
        // It has no effect: no call was asked to end, and a rollback to old is possible.
        thread::sleep(SHORT);
        assert!(!inside.is_finished());
        assert_eq!(host.runtime.status("hooks").unwrap().old.unwrap().status, VersionState::Draining);
        assert_eq!(host.runtime.rollback("hooks").unwrap().current.generation, first.generation);
        host.wait_until_old_is_gone("hooks");
        host.load("hooks", V2).unwrap();
        assert!(!host.runtime.soft_purge("hooks").unwrap().purged);
        host.release("go");
        assert_eq!(inside.join().unwrap(), hooks_answer(V1));
    });
    host.wait_until_old_is_gone("hooks");
    // An old version that no call is in, kept warm for a rollback, is purged.
    let trial = segue::Trial { length: LONG * 10, at_end: segue::TrialEnd::RollBack };
    let options = segue::LoadOptions { trial: Some(trial), ..Default::default() };
    host.runtime.load_with(&segue::Source::File(fixture("hooks", V1)), &options).unwrap();
    until("old is kept warm", || {
        host.runtime.status("hooks").unwrap().old.is_some_and(|old| old.status == VersionState::Warm)
    });
    assert!(host.runtime.soft_purge("hooks").unwrap().purged);
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn otp_12_an_error_that_is_kept_does_not_keep_its_version() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.load("holder", V1).unwrap();
    let hooks = host.module("hooks");
    let errors = ["/fault", "/panic"].map(|target| hooks.call(&get(target)).unwrap_err());
    let backtrace = Request { query: "do=backtrace", ..Request::get("/") };
    host.module("holder").call(&backtrace).unwrap();
    let before = errors.clone().map(|error| format!("{error} {:?}", error.failure()));
    assert!(before[1].contains(&format!("on purpose, in {V1}")), "{before:?}");
    for module in ["hooks", "holder"] {
        host.load(module, V2).unwrap();
        host.wait_until_old_is_gone(module);
    }
    assert_eq!(host.runtime.images_mapped(), 2, "an error that is kept does not keep its version");
    assert_eq!(
        errors.map(|error| format!("{error} {:?}", error.failure())),
        before,
        "the errors can still be read"
    );
}

#[test]
fn otp_37_callers_that_have_left_do_not_keep_the_version() {
    const CALLERS: usize = 16;
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let hooks = host.module("hooks");
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    thread::scope(|scope| {
        let (done, all_done) = crossbeam_channel::bounded(CALLERS);
        for _ in 0..CALLERS {
            let (hooks, stopped, done) = (hooks.clone(), stopped.clone(), done.clone());
            scope.spawn(move || {
                // After these calls, registers and stack may still hold addresses of the module. Those are no
                // references.
                for target in ["/", "/closure?n=3", "/fault", "/panic"] {
                    let _ = hooks.call(&get(target));
                    drop(hooks.enter_owned());
                }
                done.send(()).unwrap();
                let _ = stopped.recv();
            });
        }
        all_done.iter().take(CALLERS).for_each(drop);
        host.load("hooks", V2).unwrap();
        // The threads do nothing more, and live on.
        host.wait_until_old_is_gone("hooks");
        assert_eq!((host.runtime.images_mapped(), host.logged("drop")), (1, 1));
        assert!(host.runtime.status("hooks").unwrap().quarantined.is_empty());
        drop(stop);
    });
}

#[test]
fn otp_39_the_number_of_quarantined_versions_is_limited() {
    let host = TestHost::with(|builder| builder.quarantine_max(1));
    host.load("hooks", V1).unwrap();
    let straggler = host.module("hooks").enter_owned().unwrap();
    host.load("hooks", V2).unwrap();
    assert_eq!(host.runtime.purge("hooks", Duration::ZERO).unwrap().lingering, 1);
    // Versions that a purge could not unload are counted, and their number is limited.
    let refused = host.load("hooks", V1).unwrap_err();
    assert!(matches!(refused, segue::Error::QuarantineFull { quarantined: 1, limit: 1, .. }), "{refused:?}");
    drop(straggler);
    until("it is unloaded", || host.runtime.status("hooks").unwrap().quarantined.is_empty());
    host.load("hooks", V1).unwrap();
}

#[test]
fn otp_54_status_and_soft_purge_count_1000_calls_inside() {
    const MANY: u64 = 1_000;
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let hooks = host.module("hooks");
    let inside: Vec<OwnedCallGuard> = (0..MANY).map(|_| hooks.enter_owned().unwrap()).collect();
    assert_eq!(host.runtime.soft_purge("hooks").unwrap().lingering, 0, "none of them is in an old version");
    host.load("hooks", V2).unwrap();
    let report = host.runtime.soft_purge("hooks").unwrap();
    assert_eq!((report.purged, report.lingering), (false, MANY));
    let pins = &host.runtime.pins("hooks").unwrap().held[0].pins;
    let owned = pins.iter().find(|pin| pin.kind == PinKind::OwnedGuard).unwrap();
    assert!(owned.detail.starts_with("1000 "), "{pins:?}");
    drop(inside);
    host.wait_until_old_is_gone("hooks");
    // `segue-bench purge` measures the cost; it does not depend on the number of calls inside.
}

#[test]
fn otp_55_a_check_leaves_the_old_version_alone() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let straggler = host.module("hooks").enter_owned().unwrap();
    host.load("hooks", V2).unwrap();
    // A dry run does not touch the old version.
    segue::check(&fixture("hooks", V1)).unwrap();
    assert_eq!(refusal(host.load("hooks", V1)), Code::NotPurged);
    assert_eq!(host.runtime.status("hooks").unwrap().old.unwrap().inside, 1);
    assert!(!host.runtime.soft_purge("hooks").unwrap().purged);
    drop(straggler);
    until("the old version is purged, or already gone", || {
        host.runtime.purge("hooks", LONG).unwrap();
        host.runtime.status("hooks").unwrap().old.is_none()
    });
    host.load("hooks", V1).unwrap();
}

#[test]
fn otp_48_a_thread_of_the_module_postpones_the_purge() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    // No call is inside, and a thread of the module may call back at any time.
    assert_eq!(host.ask("hooks", "/thread?file=fire"), hooks_answer(V1));
    host.load("hooks", V2).unwrap();
    until("the thread is listed as a pin", || {
        let old = host.runtime.status("hooks").unwrap().old;
        old.is_some_and(|old| old.inside == 0 && old.pins.iter().any(|pin| pin.kind == PinKind::Thread))
    });
    let report = host.runtime.purge("hooks", SHORT).unwrap();
    assert_eq!((report.purged, report.unmapped, report.lingering), (false, false, 0));
    assert_eq!(host.runtime.images_mapped(), 2, "its version stays loaded under that thread");
    assert_eq!(response_text(host.module("hooks").call(&get("/"))), hooks_answer(V2));
    host.release("fire");
    until("it is unloaded", || host.runtime.images_mapped() == 1);
    until("it is no longer listed", || host.runtime.status("hooks").unwrap().quarantined.is_empty());
}
