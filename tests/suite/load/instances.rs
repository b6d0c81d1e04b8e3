//! Each instance has one start and one end, and no call before or after them.

use segue::LoadOptions;
use segue_tests::{TestHost, V1, V2, get, hooks_answer, response_text, set_of};

/// Loads the second version over the first, with a session that stays in the first, and then the other way
/// around.
fn there_and_back(host: &TestHost, load: impl Fn(&TestHost, &str) -> u64) {
    let first = load(host, V1);
    let hooks = host.module("hooks");
    let session = hooks.enter_owned().unwrap();
    let second = load(host, V2);
    assert_eq!(host.log(), [format!("load hooks {V1}+g{first}"), format!("load hooks {V2}+g{second}")]);
    assert_eq!(
        (response_text(session.call(&get("/"))), response_text(hooks.call(&get("/")))),
        (hooks_answer(V1), hooks_answer(V2))
    );
    assert!(!host.runtime.soft_purge("hooks").unwrap().purged, "it is in use");
    assert_eq!(response_text(session.call(&get("/"))), hooks_answer(V1), "the soft purge did nothing");
    assert_eq!(host.logged("drop"), 0);
    drop(session);
    host.wait_until_old_is_gone("hooks");
    assert_eq!(host.log()[2..], [format!("drop hooks {V1}+g{first}")]);
    // After a delete.
    let session = hooks.enter_owned().unwrap();
    host.runtime.delete("hooks").unwrap();
    assert_eq!(response_text(session.call(&get("/"))), hooks_answer(V2));
    drop(session);
    host.wait_until_old_is_gone("hooks");
    assert_eq!(host.log()[3..], [format!("drop hooks {V2}+g{second}")]);
    // The other way around.
    let third = load(host, V2);
    let fourth = load(host, V1);
    host.wait_until_old_is_gone("hooks");
    let after = [
        format!("load hooks {V2}+g{third}"),
        format!("load hooks {V1}+g{fourth}"),
        format!("drop hooks {V2}+g{third}"),
    ];
    assert_eq!(host.log()[4..], after);
    assert_eq!(host.runtime.images_mapped(), 1);
}

#[test]
fn otp_42_each_instance_starts_once_and_ends_once() {
    let host = TestHost::new();
    there_and_back(&host, |host, version| host.load("hooks", version).unwrap().generation);
}

#[test]
fn otp_44_each_member_of_a_set_starts_once_and_ends_once() {
    // As a member of a set, with an `on_load` that calls the current version and remembers the answer.
    let host = TestHost::new();
    for version in [V1, V2] {
        host.script("hooks", version, "call hooks /\n");
    }
    there_and_back(&host, |host, version| {
        let options = LoadOptions::default();
        host.runtime.load_set(&set_of(&["hooks"], version), &options).unwrap().remove(0).generation
    });
    assert_eq!(
        host.ask("hooks", "/remembered"),
        hooks_answer(V2),
        "its `on_load` called the version before it"
    );
}
