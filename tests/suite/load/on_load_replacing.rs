//! The `on_load` of a version that replaces another: the other serves until the `on_load` succeeds, and also
//! if it fails.

use std::{fs, thread};

use segue::{Code, Event, LoadOptions, PinKind, Policy, Source};
use segue_tests::{
    HOOKS_VERSIONS, LONG, SHORT, TestHost, V1, V2, fixture, get, hooks_answer, in_child, refusal,
    response_text, until,
};

#[test]
fn otp_17_an_update_whose_on_load_fails_leaves_the_old_version_current() {
    let host = TestHost::new();
    let [first, second, third] = [V1, V2, HOOKS_VERSIONS[2]].map(|version| format!("/in-{version}"));
    host.load("hooks", V1).unwrap();
    let before = host.runtime.status("hooks").unwrap().current.unwrap();
    host.script("hooks", V2, &format!("call hooks {first}\nfail after that\n"));
    assert_eq!(refusal(host.load("hooks", V2)), Code::OnLoadFailed);
    let after = host.runtime.status("hooks").unwrap().current.unwrap();
    assert_eq!(
        (after.generation, after.calls),
        (before.generation, before.calls + 1),
        "it was called and stays current"
    );
    assert_eq!(host.ask("hooks", &first), hooks_answer(V1));
    assert!(host.ask("hooks", &second).unwrap_err().contains("has no /in-"));
    host.load("hooks", HOOKS_VERSIONS[2]).unwrap();
    assert!(host.ask("hooks", &first).unwrap_err().contains("has no /in-"));
    assert_eq!(host.ask("hooks", &third), hooks_answer(HOOKS_VERSIONS[2]));
}

#[test]
fn otp_18_a_failed_on_load_that_left_a_thread_is_quarantined() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.script("hooks", V2, "thread stop\nfail and leave a worker\n");
    assert_eq!(refusal(host.load("hooks", V2)), Code::OnLoadFailed);
    // A thread cannot be ended. It is reported, nothing waits for it, and the current version serves.
    let status = host.runtime.status("hooks").unwrap();
    assert_eq!((status.old, status.quarantined.len()), (None, 1));
    let pins = &host.runtime.pins("hooks").unwrap().held[0].pins;
    assert!(pins[0].kind == PinKind::Thread && pins[0].detail.contains("looping"), "{pins:?}");
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    host.load("hooks", HOOKS_VERSIONS[2]).unwrap();
    host.wait_until_old_is_gone("hooks");
    host.release("stop");
    until("it is unloaded", || host.runtime.status("hooks").unwrap().quarantined.is_empty());
    assert_eq!(host.runtime.images_mapped(), 1);
    // Control: a worker that ends in time is not reported.
    host.script("hooks", V1, "thread stop\nfail and leave a worker\n");
    assert_eq!(refusal(host.load("hooks", V1)), Code::OnLoadFailed);
    assert!(host.runtime.status("hooks").unwrap().quarantined.is_empty());
    let quarantined = host.events().iter().filter(|event| matches!(event, Event::Quarantined { .. })).count();
    assert_eq!(quarantined, 1);
}

#[test]
fn otp_20_loads_of_one_module_become_current_in_order() {
    // In a child process, so that its threads can be counted by name.
    in_child(|| {
        let host = TestHost::new();
        host.load("hooks", V1).unwrap();
        host.script("hooks", V2, "hang go\n");
        let order = [V2, HOOKS_VERSIONS[2], HOOKS_VERSIONS[3], HOOKS_VERSIONS[4]];
        thread::scope(|scope| {
            let host = &host;
            let begin = |(n, version)| {
                let load = scope.spawn(move || host.load_after_old("hooks", version).unwrap());
                until("it waits", || sleeping("load hooks") > n);
                load
            };
            let loads: Vec<_> = order.into_iter().enumerate().map(begin).collect();
            assert_eq!(
                (host.logged("load"), host.ask("hooks", "/")),
                (2, hooks_answer(V1)),
                "the first of them runs alone"
            );
            host.release("go");
            loads.into_iter().for_each(|load| drop(load.join().unwrap()));
        });
        assert_eq!(host.ask("hooks", "/"), hooks_answer(order[3]));
        let loaded = host.events().into_iter().filter_map(|event| match event {
            Event::Loaded { current, .. } => Some(current.version),
            _ => None,
        });
        assert_eq!(
            loaded.skip(1).collect::<Vec<_>>(),
            order,
            "they became current in the order of the loads"
        );
    });
}

/// How many threads of this name wait; the kernel calls that state `S`, sleeping.
fn sleeping(name: &str) -> usize {
    let stats = fs::read_dir("/proc/self/task").unwrap();
    let stats = stats.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
    stats.filter(|stat| stat.contains(&format!("({name}) S "))).count()
}

#[test]
fn otp_21_a_load_over_a_deleted_version_never_harms_its_callers() {
    for script in ["", "fail on purpose\n", "hang for-ever\n"] {
        let host = TestHost::new();
        host.script("hooks", V2, script);
        host.load("hooks", V1).unwrap();
        let straggler = host.module("hooks").enter_owned().unwrap();
        assert!(host.runtime.delete("hooks").unwrap().deleted);
        let old_is_protected = || {
            let report = host.runtime.soft_purge("hooks").unwrap();
            assert_eq!((report.purged, report.lingering), (false, 1));
            assert_eq!(response_text(straggler.call(&get("/"))), hooks_answer(V1));
            assert!(host.logged(&format!("load hooks {V2}")) == 0, "it has not started");
        };
        old_is_protected();
        assert_eq!(refusal(host.load("hooks", V2)), Code::NotPurged);
        old_is_protected();
        let options = LoadOptions { policy: Policy::Wait, deadline: SHORT * 4, trial: None };
        let waiting = host.runtime.load_with(&Source::File(fixture("hooks", V2)), &options);
        assert_eq!(refusal(waiting), Code::Deadline);
        old_is_protected();
        // A load that supersedes quarantines the old version, which answers until its last call returns,
        // whatever happens to the new one.
        let options = LoadOptions { policy: Policy::Supersede, deadline: SHORT * 20, trial: None };
        let options =
            LoadOptions { deadline: if script.is_empty() { LONG } else { options.deadline }, ..options };
        thread::scope(|scope| {
            let superseding =
                scope.spawn(|| host.runtime.load_with(&Source::File(fixture("hooks", V2)), &options));
            until("old is asked to end", || {
                host.runtime.pins("hooks").unwrap().held.iter().any(|held| !held.pins.is_empty())
            });
            if script.is_empty() {
                drop(straggler);
                assert_eq!(superseding.join().unwrap().unwrap().version, V2);
                host.wait_until_old_is_gone("hooks");
                assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
                return;
            }
            assert!(superseding.join().unwrap().is_err());
            assert_eq!(response_text(straggler.call(&get("/"))), hooks_answer(V1));
            let held = |generation| {
                host.runtime.pins("hooks").unwrap().held.iter().any(|it| it.generation == generation)
            };
            assert!(held(straggler.version().generation), "the version that is in use is listed");
            drop(straggler);
            until("it is unloaded", || !held(1));
            host.release("for-ever");
            until("all are unloaded", || host.runtime.images_mapped() == 0);
        });
    }
}
