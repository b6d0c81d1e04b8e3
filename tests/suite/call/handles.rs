//! Handles, guards and answers that callers keep while versions are replaced.

use std::thread;

use segue::{Code, Error, Phase};
use segue_tests::{
    LONG, SHORT, TestHost, V1, V2, get, hooks_answer, refusal, response_text, till::Till, until,
};

#[test]
fn otp_35_a_handle_always_calls_the_current_version() {
    let host = TestHost::new();
    // A link that is made before its module is loaded fails until then.
    host.script("hooks-a", V1, "call hooks-b /\n");
    host.load("hooks-a", V1).unwrap();
    let late = || host.ask("hooks-a", "/ask?module=hooks-b&path=/");
    assert!(late().unwrap_err().contains("no current version"));
    assert!(matches!(host.runtime.module("hooks-b"), Err(Error::NoSuchModule { .. })));
    host.load("hooks-b", V1).unwrap();
    assert_eq!(late(), hooks_answer(V1));
    // One handle stays valid over every change of the module.
    let handle = host.module("hooks-b");
    host.load("hooks-b", V2).unwrap();
    assert_eq!((response_text(handle.call(&get("/"))), late()), (hooks_answer(V2), hooks_answer(V2)));
    host.wait_until_old_is_gone("hooks-b");
    host.runtime.delete("hooks-b").unwrap();
    assert!(handle.enter().is_err() && late().is_err());
    host.wait_until_old_is_gone("hooks-b");
    host.load("hooks-b", V1).unwrap();
    assert_eq!((response_text(handle.call(&get("/"))), late()), (hooks_answer(V1), hooks_answer(V1)));
}

#[test]
fn otp_36_replies_and_errors_do_not_keep_their_version() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.load("till", V1).unwrap();
    let hooks = host.module("hooks");
    let till = host.runtime.interface::<Till>("till").unwrap();
    // One of each kind: an answer, errors, the version, and a literal of the module.
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
        // One in a thread that sleeps, one in a message that is not received yet.
        let sleeper = scope.spawn(move || {
            let _ = may_go.recv();
            format!("{parked:?}")
        });
        send.send(in_flight).unwrap();
        for module in ["hooks", "till"] {
            host.load(module, V2).unwrap();
            host.wait_until_old_is_gone(module);
        }
        assert_eq!(host.runtime.images_mapped(), 2, "no value keeps the version");
        drop(go);
        assert_eq!(sleeper.join().unwrap(), before);
        let (answered, _, version, literal, receipts) = received.recv().unwrap();
        assert_eq!((response_text(Ok(answered)), version.version.as_str()), (hooks_answer(V1), V1));
        assert_eq!((&*literal, receipts.len()), ("a literal of the module", 50));
    });
    // Control: a guard does.
    let inside = host.module("hooks").enter_owned().unwrap();
    host.load("hooks", V1).unwrap();
    assert_eq!(host.runtime.images_mapped(), 3);
    drop(inside);
}

#[test]
fn otp_47_a_version_ends_after_its_last_object() {
    let host = TestHost::new();
    // A first load that fails leaves nothing.
    host.script("hooks", V1, "fail on purpose\n");
    assert_eq!(refusal(host.load("hooks", V1)), Code::OnLoadFailed);
    assert_eq!((host.runtime.images_mapped(), host.staged(), host.log().len()), (0, 0, 2));
    assert_eq!(host.logged("drop"), 1, "the instance that started has ended");
    host.script("hooks", V1, "");
    host.load("hooks", V1).unwrap();
    // Objects that others keep postpone the end until the last of them is dropped, on any thread.
    let mut objects: Vec<_> = (0..3).map(|_| host.module("hooks").enter_owned().unwrap()).collect();
    host.load("hooks", V2).unwrap();
    let report = host.runtime.purge("hooks", SHORT).unwrap();
    assert_eq!((report.purged, report.lingering), (false, 3));
    while let Some(object) = objects.pop() {
        assert_eq!((host.runtime.images_mapped(), host.logged("drop")), (2, 1));
        thread::scope(|scope| {
            scope.spawn(move || {
                assert_eq!(response_text(object.call(&get("/"))), hooks_answer(V1));
                drop(object);
            });
        });
    }
    until("it is unloaded", || host.runtime.images_mapped() == 1);
    assert_eq!(host.logged("drop"), 2, "the instance ended once");
    // A later load that fails changes nothing for the current version.
    host.script("hooks", V1, "panic on purpose\n");
    let object = host.module("hooks").enter_owned().unwrap();
    assert_eq!(refusal(host.load("hooks", V1)), Code::OnLoadFailed);
    assert_eq!(response_text(object.call(&get("/"))), hooks_answer(V2));
}

#[test]
fn otp_32_calls_during_the_purge_of_a_deleted_version_fail_at_once() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let hooks = host.module("hooks");
    for phase in [Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended, Phase::Unmapped] {
        host.gate.close("hooks", phase);
        let deleted = host.runtime.delete("hooks").unwrap();
        assert_eq!(host.gate.wait_for_version(), deleted.old.unwrap().generation);
        // Erlang suspends the callers until the purge ends. Here their calls fail at once, at every phase,
        // and never reach the version that is being unloaded.
        for _ in 0..3 {
            assert!(
                response_text(hooks.call(&get("/"))).unwrap_err().contains("no current version"),
                "{phase:?}"
            );
            assert!(hooks.enter_owned().is_err(), "{phase:?}");
        }
        host.gate.open();
        host.wait_until_old_is_gone("hooks");
        assert!(hooks.enter().is_err());
        host.load("hooks", V1).unwrap();
        assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(V1));
    }
}

#[test]
fn otp_32_calls_during_a_purge_reach_the_current_version() {
    let host = TestHost::new();
    let mut current = V1;
    host.load("hooks", current).unwrap();
    let hooks = host.module("hooks");
    for phase in [Phase::Drained, Phase::Detached, Phase::Vacated, Phase::Ended, Phase::Unmapped] {
        let next = if current == V1 { V2 } else { V1 };
        host.gate.close("hooks", phase);
        host.load("hooks", next).unwrap();
        host.gate.wait_for_version();
        for _ in 0..3 {
            assert_eq!(
                response_text(hooks.call(&get("/"))),
                hooks_answer(next),
                "at {phase:?} calls reach the current version"
            );
        }
        host.gate.open();
        host.wait_until_old_is_gone("hooks");
        assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(next));
        current = next;
    }
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn otp_32_a_closure_answers_throughout_a_purge_that_cannot_finish() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let closure = host.module("hooks").enter_owned().unwrap();
    let call = || response_text(closure.call(&get("/closure?n=2"))).unwrap();
    host.load("hooks", V2).unwrap();
    // A purge that cannot finish: the closure answers before, during and after it.
    thread::scope(|scope| {
        let purging = scope.spawn(|| host.runtime.purge("hooks", SHORT * 4).unwrap());
        let soft = host.runtime.soft_purge("hooks").unwrap();
        assert!(!soft.purged);
        while !purging.is_finished() {
            assert_eq!(call(), format!("2 of {V1}"));
        }
        assert!(!purging.join().unwrap().purged);
    });
    assert_eq!(call(), format!("2 of {V1}"));
    drop(closure);
    until("it is unloaded", || host.runtime.images_mapped() == 1);
    assert!(host.runtime.shutdown(LONG).is_ok());
}
