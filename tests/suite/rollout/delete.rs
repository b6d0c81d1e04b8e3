//! Deletes: a module without a current version.

use std::thread;

use segue::{Code, Event};
use segue_tests::{LONG, TestHost, V1, V2, get, hooks_answer, refusal, response_text, until};

#[test]
fn otp_06_a_delete_stops_new_calls_and_lets_those_inside_finish() {
    let host = TestHost::new();
    let loaded = host.load("hooks", V1).unwrap();
    let hooks = host.module("hooks");
    let session = hooks.enter_owned().unwrap();
    let deleted = host.runtime.delete("hooks").unwrap();
    assert_eq!((deleted.deleted, deleted.old.unwrap().generation), (true, loaded.generation));
    // New calls fail, and the call inside continues.
    assert!(response_text(hooks.call(&get("/"))).unwrap_err().contains("no current version"));
    assert!(hooks.enter_owned().is_err());
    assert_eq!(response_text(session.call(&get("/"))), hooks_answer(V1));
    assert!(!host.runtime.delete("hooks").unwrap().deleted, "there is no current version to delete");
    // A load is refused while the old version is loaded. So is a delete, for which Erlang returns false.
    assert_eq!(refusal(host.load("hooks", V2)), Code::NotPurged);
    drop(session);
    host.wait_until_old_is_gone("hooks");
    assert_eq!((host.runtime.images_mapped(), host.logged("drop")), (0, 1));
    host.load("hooks", V2).unwrap();
    let session = hooks.enter_owned().unwrap();
    host.load("hooks", V1).unwrap();
    assert_eq!(refusal(host.runtime.delete("hooks")), Code::NotPurged);
    assert_eq!(response_text(hooks.call(&get("/"))), hooks_answer(V1), "nothing changed");
    drop(session);
    let deletes = host.events().iter().filter(|event| matches!(event, Event::Deleted { .. })).count();
    assert_eq!(deletes, 1, "a delete that changed nothing is not recorded");
}

#[test]
fn otp_49_remove_and_purge_follow_the_release_instructions() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    thread::scope(|scope| {
        let straggler = scope.spawn(|| host.ask("hooks", "/stay?file=never&looks=1"));
        until("the call is inside", || host.calls_inside("hooks") == 1);
        // `remove` with a soft purge: the call runs on, and the report says not purged.
        assert!(host.runtime.delete("hooks").unwrap().deleted);
        let report = host.runtime.soft_purge("hooks").unwrap();
        assert_eq!((report.purged, report.lingering), (false, 1));
        // `load` is refused, because there are old processes.
        assert_eq!(refusal(host.load("hooks", V2)), Code::NotPurged);
        assert!(!straggler.is_finished());
        // `remove` with a purge: they end, and the new version can be loaded.
        let purged = host.runtime.purge("hooks", LONG).unwrap();
        assert!(purged.purged, "{purged:?}");
        assert_eq!(straggler.join().unwrap(), hooks_answer(V1));
    });
    host.load("hooks", V2).unwrap();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
}

#[test]
fn otp_57_removing_one_module_leaves_the_others() {
    let host = TestHost::new();
    for module in ["hooks", "hooks-a"] {
        host.load(module, V1).unwrap();
    }
    host.runtime.delete("hooks-a").unwrap();
    host.wait_until_old_is_gone("hooks-a");
    assert_eq!(host.runtime.images_mapped(), 1, "only the deleted module is unloaded");
    assert_eq!((host.ask("hooks", "/"), host.logged("drop hooks-a ")), (hooks_answer(V1), 1));
    // A restart does not restore it.
    let host = host.restarted();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    assert!(host.ask("hooks-a", "/").is_err());
}

#[test]
fn otp_57_a_delete_can_be_repeated() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.runtime.delete("hooks").unwrap();
    host.wait_until_old_is_gone("hooks");
    for _ in 0..2 {
        let again = host.runtime.delete("hooks").unwrap();
        assert_eq!((again.deleted, again.old), (false, None));
    }
    // A name that was never loaded is an error, because it may be misspelt.
    assert_eq!(refusal(host.runtime.delete("hoks")), Code::NotFound);
}
