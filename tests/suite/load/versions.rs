//! Two versions side by side, and what `status` reports about them.

use segue::{Code, Digest, LoadOutcome, OwnedCallGuard, VersionState};
use segue_tests::{
    HOOKS_VERSIONS, LONG, SHORT, TestHost, V1, V2, fixture, get, hooks_answer, names_in, refusal,
    response_text,
};

#[test]
fn otp_01_two_versions_answer_side_by_side_and_a_third_is_refused() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let hooks = host.module("hooks");
    let first = hooks.enter().unwrap();
    host.load("hooks", V2).unwrap();
    let second = hooks.enter().unwrap();
    let both_answer = || {
        assert_eq!(
            (response_text(first.call(&get("/"))), response_text(second.call(&get("/")))),
            (hooks_answer(V1), hooks_answer(V2))
        );
    };
    both_answer();
    // For the file that is current already, OTP returns `not_purged`; here the load is unchanged.
    assert_eq!(host.load("hooks", V2).unwrap().outcome, LoadOutcome::Unchanged);
    for third in [HOOKS_VERSIONS[2], V1] {
        assert_eq!(refusal(host.load("hooks", third)), Code::NotPurged);
        both_answer();
    }
    assert_eq!(host.runtime.images_mapped(), 2, "a refused version leaves nothing in memory");
    drop((first, second));
    host.wait_until_old_is_gone("hooks");
    assert!(!host.runtime.purge("hooks", LONG).unwrap().purged, "it was unloaded without a purge");
    assert!(host.runtime.delete("hooks").unwrap().deleted);
    host.wait_until_old_is_gone("hooks");
    assert!(!host.runtime.purge("hooks", LONG).unwrap().purged);
    assert_eq!(host.runtime.images_mapped(), 0);
}

#[test]
fn otp_02_a_closure_of_the_old_version_outlives_a_purge() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    host.load("hooks-a", V1).unwrap();
    let hooks = host.module("hooks");
    // The paths that only the first and only the second version have, called by the host and by another
    // module.
    let external = || {
        let (first, second) = (format!("/in-{V1}"), format!("/in-{V2}"));
        let by_module = |path: &str| host.ask("hooks-a", &format!("/ask?module=hooks&path={path}"));
        let by_host = [response_text(hooks.call(&get(&first))), response_text(hooks.call(&get(&second)))];
        assert_eq!(
            by_host.clone().map(|it| it.ok()),
            [by_module(&first), by_module(&second)].map(|it| it.ok())
        );
        by_host
    };
    let is_undefined = |answer: &Result<String, String>| {
        assert!(answer.as_ref().unwrap_err().contains("has no /in-"), "{answer:?}");
    };
    let inside_first = hooks.enter().unwrap();
    let closure = hooks.enter_owned().unwrap();
    let call = |guard: &OwnedCallGuard| response_text(guard.call(&get("/closure?n=0")));
    let [first, second] = external();
    assert_eq!(first, hooks_answer(V1));
    is_undefined(&second);

    host.load("hooks", V2).unwrap();
    let [first, second] = external();
    is_undefined(&first);
    assert_eq!(second, hooks_answer(V2));
    assert_eq!(
        response_text(inside_first.call(&get(&format!("/in-{V1}")))),
        hooks_answer(V1),
        "a call that is inside the first stays in the first"
    );
    assert_eq!(call(&closure).unwrap(), format!("0 of {V1}"));

    // A purge does not break a closure. In Erlang it would be a `badfun` from now on.
    drop(inside_first);
    let report = host.runtime.purge("hooks", SHORT).unwrap();
    assert_eq!((report.purged, report.lingering), (false, 1));
    assert_eq!(call(&closure).unwrap(), format!("0 of {V1}"));
    drop(closure);

    let inside_second = hooks.enter().unwrap();
    assert!(host.runtime.delete("hooks").unwrap().deleted);
    for answer in external() {
        assert!(answer.unwrap_err().contains("no current version"));
    }
    assert_eq!(response_text(inside_second.call(&get(&format!("/in-{V2}")))), hooks_answer(V2));
    drop(inside_second);
    host.wait_until_old_is_gone("hooks");
    host.load("hooks", V1).unwrap();
    assert_eq!(external()[0], hooks_answer(V1));
}

#[test]
fn otp_10_modules_lists_exactly_the_loaded_modules() {
    let host = TestHost::new();
    assert!(host.runtime.modules().is_empty());
    assert_eq!(refusal(host.runtime.status("hooks")), Code::NotFound);
    for module in ["till", "hooks", "sleeper"] {
        host.load(module, V1).unwrap();
    }
    host.load("hooks", V2).unwrap();
    host.wait_until_old_is_gone("hooks");
    // Neither a refused module nor one that is only called is loaded.
    assert_eq!(refusal(host.load("vetoes-load", V1)), Code::OnLoadFailed);
    host.load("desk", V1).unwrap();
    let all = host.runtime.modules();
    let names: Vec<&str> = all.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["desk", "hooks", "sleeper", "till"], "each once, and no other");
    for (module, version) in [("hooks", V2), ("sleeper", V1), ("till", V1)] {
        let current = host.runtime.status(module).unwrap().current.unwrap();
        assert_eq!((current.version.as_str(), current.status), (version, VersionState::Confirmed));
        assert_eq!(current.source, fixture(module, version).display().to_string());
    }
}

#[test]
fn otp_22_a_module_is_modified_when_its_file_has_other_bytes() {
    let host = TestHost::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hooks.so");
    let put = |version| {
        // A new file each time, with its own inode and times.
        let _ = std::fs::remove_file(&file);
        std::fs::copy(fixture("hooks", version), &file).unwrap();
    };
    let digest = || Digest::of(&std::fs::read(&file).unwrap());
    let loaded = || host.runtime.status("hooks").unwrap().current.unwrap().digest;
    put(V1);
    host.runtime.load(&file).unwrap();
    assert_eq!(digest(), loaded());
    // Removed: the module stays loaded.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    assert_eq!(refusal(host.runtime.load(&file)), Code::NotFound);
    // The same file again, and a touched one, are unchanged.
    put(V1);
    assert_eq!(host.runtime.load(&file).unwrap().outcome, LoadOutcome::Unchanged);
    let touch = std::fs::File::options().write(true).open(&file).unwrap();
    touch.set_modified(std::time::SystemTime::now()).unwrap();
    drop(touch);
    assert_eq!(host.runtime.load(&file).unwrap().outcome, LoadOutcome::Unchanged);
    // Another file: modified, until it is loaded.
    put(V2);
    assert_ne!(digest(), loaded());
    assert_eq!(host.runtime.load(&file).unwrap().outcome, LoadOutcome::Loaded);
    assert_eq!(digest(), loaded());
}

#[test]
fn otp_25_the_loaded_file_can_be_read_back() {
    let host = TestHost::new();
    let loaded = host.load("hooks", V1).unwrap();
    let bytes = std::fs::read(fixture("hooks", V1)).unwrap();
    assert_eq!(loaded.digest, Digest::of(&bytes));
    let current = host.runtime.status("hooks").unwrap().current.unwrap();
    assert_eq!(current.source, fixture("hooks", V1).display().to_string(), "where_is_file");
    let images = host.state.path().join("images");
    let names = names_in(&images);
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(loaded.digest.to_string().ends_with(names[0].trim_end_matches(".so")), "{names:?}");
    assert_eq!(std::fs::read(images.join(&names[0])).unwrap(), bytes, "the original file");
}

#[test]
fn otp_34_status_reports_whether_there_is_an_old_version() {
    let host = TestHost::new();
    let has_old = || host.runtime.status("hooks").unwrap().old.is_some();
    host.load("hooks", V1).unwrap();
    assert!(!has_old(), "there is only one version");
    let inside = host.module("hooks").enter_owned().unwrap();
    host.load("hooks", V2).unwrap();
    assert!(has_old());
    drop(inside);
    host.wait_until_old_is_gone("hooks");
    let inside = host.module("hooks").enter_owned().unwrap();
    host.runtime.delete("hooks").unwrap();
    assert!(has_old(), "also of a deleted module");
    drop(inside);
    host.wait_until_old_is_gone("hooks");
    let status = host.runtime.status("hooks").unwrap();
    assert!(status.current.is_none() && status.quarantined.is_empty());
}

#[test]
fn otp_38_closures_of_two_versions_are_never_confused() {
    let host = TestHost::new();
    host.load("hooks", V1).unwrap();
    let hooks = host.module("hooks");
    let first = hooks.enter_owned().unwrap();
    host.load("hooks", V2).unwrap();
    let second = hooks.enter_owned().unwrap();
    // The same closures of the same table, in turns.
    for n in (0..4).chain((0..4).rev()) {
        let target = format!("/closure?n={n}");
        assert_eq!(response_text(second.call(&get(&target))).unwrap(), format!("{n} of {V2}"));
        assert_eq!(response_text(first.call(&get(&target))).unwrap(), format!("{n} of {V1}"));
    }
    drop(first);
    host.wait_until_old_is_gone("hooks");
    assert_eq!(response_text(second.call(&get("/closure?n=1"))).unwrap(), format!("1 of {V2}"));
}
