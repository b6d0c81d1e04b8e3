//! The threads on which constructors, destructors and exit handlers of a module run: never a caller's thread,
//! and one module's do not delay another's.

use std::{fs, thread};

use segue::Request;
use segue_tests::{TestHost, V1, V2, call_with, fixture, in_child, until};

/// The kernel's id of the calling thread.
fn this_thread() -> String {
    let link = fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Each function that ran, with its thread.
fn calls_by_thread(text: &str) -> Vec<(&str, &str)> {
    text.lines().map(|line| line.split_once(' ').unwrap()).collect()
}

#[test]
fn constructors_and_destructors_never_run_on_a_callers_thread() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        let query = format!("file={}", file.display());
        host.load("places", V1).unwrap();
        let module = host.module("places");
        let answer = call_with(&module, &query);
        let started = calls_by_thread(&answer);
        assert_eq!(started[2], ("call", &*this_thread()), "the fixture reports the calling thread");
        for (index, what) in ["constructor", "on_load"].into_iter().enumerate() {
            assert_eq!(started[index].0, what);
            assert_ne!(started[index].1, this_thread(), "{what} ran on a caller's thread");
        }

        // Neither the last caller to leave nor the caller of the purge runs them.
        let (to_leave, runtime) = (module.clone(), host.runtime.clone());
        let leaver = thread::spawn(move || {
            let inside = to_leave.enter().unwrap();
            runtime.load(fixture("places", V2)).unwrap();
            assert_eq!(runtime.images_mapped(), 2);
            drop(inside);
            until("the old version is unloaded", || runtime.images_mapped() == 1);
            this_thread()
        });
        let leaver = leaver.join().unwrap();
        host.runtime.purge("places", std::time::Duration::from_secs(30)).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        let ended = calls_by_thread(&written);
        let what: Vec<&str> = ended.iter().map(|(what, _)| *what).collect();
        assert_eq!(what, ["drop", "exit-handler", "destructor"]);
        for (what, thread) in ended {
            assert!(thread != this_thread() && thread != leaver, "{what} ran on a caller's thread");
        }
    });
}

#[test]
fn the_purge_of_one_module_does_not_delay_anothers() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("may-end");
        let query = format!("do=hang-at-exit&file={}", file.display());
        host.load("holder", V1).unwrap();
        host.load("tls-owner", V1).unwrap();
        let (held, other) = (host.module("holder"), host.module("tls-owner"));
        call_with(&held, &query);
        host.load("holder", V2).unwrap();
        for round in 0..10 {
            other.call(&Request::get("/")).unwrap();
            host.load("tls-owner", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            until("the old version of the other module is unloaded", || {
                host.runtime.status("tls-owner").unwrap().old.is_none() && host.runtime.images_mapped() == 3
            });
        }
        assert!(host.runtime.status("holder").unwrap().old.is_some(), "its exit handler still hangs");
        fs::write(&file, "").unwrap();
        until("the version whose exit handler hung is unloaded", || host.runtime.images_mapped() == 2);
    });
}
