//! Pthread keys that modules create: they are counted, limited, and deleted with their version.

use std::{os::unix::process::ExitStatusExt, thread, time::Duration};

use crossbeam_channel::bounded;
use segue::{Code, Runtime, Step};
use segue_tests::{TestHost, V1, V2, call_with, dies_in_child, fixture, in_child, until};

#[test]
fn a_load_is_refused_when_the_process_runs_out_of_keys_and_a_purge_deletes_them() {
    in_child(|| {
        let (host, module) = TestHost::serving("holder");
        let before = host.runtime.pthread_keys_in_use();
        call_with(&module, "do=keys&many=900");
        assert_eq!(host.runtime.pthread_keys_in_use(), before + 900);
        let many = 1024 - 40 - host.runtime.pthread_keys_in_use();
        call_with(&module, &format!("do=keys&many={many}"));
        let refused = host.load("holder", V2).unwrap_err();
        assert_eq!((refused.code(), refused.step()), (Code::Busy, Some(Step::Map)), "{refused}");
        assert!(refused.to_string().contains("984 of this process's 1024 pthread keys"), "{refused}");
        assert_eq!(call_with(&module, ""), V1, "nothing changed");
        host.runtime.shutdown(Duration::from_secs(30)).unwrap();
        assert!(host.runtime.pthread_keys_in_use() <= before, "the keys were deleted");
        assert_eq!(host.staged(), 0);
    });
}

#[test]
fn loads_do_not_use_up_keys() {
    in_child(|| {
        let (host, module) = TestHost::serving("tls-owner");
        call_with(&module, "");
        let with_one_version = host.runtime.pthread_keys_in_use();
        for round in 0..20 {
            host.load("tls-owner", if round % 2 == 0 { V2 } else { V1 }).unwrap();
            call_with(&module, "");
            until("the old version is unloaded", || host.runtime.images_mapped() == 1);
            assert_eq!(host.runtime.pthread_keys_in_use(), with_one_version);
        }
    });
}

#[test]
fn a_host_thread_that_std_tracked_in_a_module_ends_cleanly_after_the_unload() {
    in_child(|| {
        let host = TestHost::new();
        // Each call asks for the current thread, which `std` stores under a pthread key with a destructor.
        host.load("tls-owner", V1).unwrap();
        let module = host.module("tls-owner");
        end_thread_after_unload(&host.runtime, "tls-owner", move || drop(call_with(&module, "")));
    });
}

/// Control for the test above: the destructor of a key that the SDK does not track is called in an unmapped
/// image.
#[test]
fn a_key_created_past_the_sdk_crashes_the_process() {
    let dead = dies_in_child(&[], |_| {
        let (host, module) = TestHost::serving("holder");
        end_thread_after_unload(&host.runtime, "holder", move || drop(call_with(&module, "do=libc-key")));
    });
    assert_eq!(dead.status.signal(), Some(libc::SIGSEGV), "{}", dead.stderr);
}

/// Makes a call on a thread of the host, and ends that thread after the version it called is unloaded.
fn end_thread_after_unload(runtime: &Runtime, module: &str, make_call: impl FnOnce() + Send + 'static) {
    let (leave, may_leave) = bounded::<()>(0);
    let (called, has_called) = bounded(1);
    let thread = thread::spawn(move || {
        make_call();
        called.send(()).unwrap();
        let _ = may_leave.recv();
    });
    has_called.recv().unwrap();
    runtime.load(fixture(module, V2)).unwrap();
    until("the old version is unloaded", || runtime.images_mapped() == 1);
    drop(leave);
    thread.join().unwrap();
}
