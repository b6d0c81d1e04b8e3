//! Where code of a module runs that is no call: never on a thread that calls, and one module's is not in
//! another's way.

use std::{fs, thread};

use segue::Request;
use segue_tests::{TestHost, V1, V2, fixture, in_child, until};

/// The kernel's id of the calling thread.
fn this_thread() -> String {
    let link = fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}

/// What ran, and on which thread.
fn places(text: &str) -> Vec<(&str, &str)> {
    text.lines().map(|line| line.split_once(' ').unwrap()).collect()
}

#[test]
fn constructors_and_destructors_and_what_closes_a_file_never_run_on_a_callers_thread() {
    in_child(|| {
        let host = TestHost::new();
        let file = host.state.path().join("notes");
        let query = format!("file={}", file.display());
        host.load("places", V1).unwrap();
        let module = host.module("places");
        let begun = module.call(&Request { query: &query, ..Request::get("/") }).unwrap().body;
        let begun = String::from_utf8(begun).unwrap();
        let begun = places(&begun);
        assert_eq!(begun[2], ("call", &*this_thread()), "it tells threads apart");
        for (index, what) in ["constructor", "on_load"].into_iter().enumerate() {
            assert_eq!(begun[index].0, what);
            assert_ne!(begun[index].1, this_thread(), "{what} ran on a caller's thread");
        }

        // Who leaves last does not take it out, nor does who asks for the purge.
        let (of_leaver, runtime) = (module.clone(), host.runtime.clone());
        let leaver = thread::spawn(move || {
            let inside = of_leaver.enter().unwrap();
            runtime.load(fixture("places", V2)).unwrap();
            assert_eq!(runtime.images_mapped(), 2);
            drop(inside);
            until("the old version is unloaded", || runtime.images_mapped() == 1);
            this_thread()
        });
        let leaver = leaver.join().unwrap();
        host.runtime.purge("places", std::time::Duration::from_secs(30)).unwrap();
        let ended = fs::read_to_string(&file).unwrap();
        let ended = places(&ended);
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
        held.call(&Request { query: &query, ..Request::get("/") }).unwrap();
        host.load("holder", V2).unwrap();
        for round in 0..10 {
            other.call(&Request::get("/")).unwrap();
            host.load("tls-owner", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            until("the other's the old version is unloaded", || {
                host.runtime.status("tls-owner").unwrap().old.is_none() && host.runtime.images_mapped() == 3
            });
        }
        assert!(host.runtime.status("holder").unwrap().old.is_some(), "its exit handler hangs all the time");
        fs::write(&file, "").unwrap();
        until("and then it has left too", || host.runtime.images_mapped() == 2);
    });
}
