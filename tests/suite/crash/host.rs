//! Crashes of the host, of an unloaded version, and by a signal from another process: no loaded module is
//! named.

use std::{fs, os::unix::process::ExitStatusExt, process::Command, thread, time::Duration};

use segue::Request;
use segue_loader::{AttributedBy, CrashReports, read_reports};
use segue_tests::{V1, V2, dies_in_child, fixture, until};

use super::{REPORTS, SIGABRT, SIGSEGV, assert_names_the_module, call, only_report, runtime, serving};

#[test]
fn a_crash_of_the_host_names_no_module() {
    let dead = dies_in_child(&[], |directory| {
        let (_reports, runtime) = serving(directory);
        call(&runtime, "");
        let _ = thread::spawn(|| std::process::abort()).join();
    });
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.module, report.offset, report.attributed_by), (None, None, None));
    assert_ne!(report.pc, 0);
}

/// The second version jumps to where the first one was.
#[test]
fn a_jump_to_an_unloaded_version_names_that_version() {
    let dead = dies_in_child(&[], |directory| {
        let (_reports, runtime) = serving(directory);
        let module = runtime.module("crasher").unwrap();
        let answer = module.call(&Request { query: "do=where", ..Request::get("/") }).unwrap();
        let address = String::from_utf8(answer.body.to_vec()).unwrap();
        fs::write(directory.join("address"), &address).unwrap();
        runtime.load(fixture("crasher", V2)).unwrap();
        until("the old version is unloaded", || runtime.status("crasher").unwrap().old.is_none());
        assert_eq!(runtime.images_mapped(), 1);
        call(&runtime, &format!("do=call-nothing&at={address}"));
    });
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!(report.pc.to_string(), fs::read_to_string(dead.directory.path().join("address")).unwrap());
    assert_names_the_module(&report, AttributedBy::Left, "write_at_null");
    assert!(report.left_ms.is_some(), "{report:?}");
}

#[test]
fn a_signal_from_another_process_is_reported_with_its_sender_and_no_module() {
    let dead = dies_in_child(&[], |directory| {
        let _serving = serving(directory);
        let pid = std::process::id().to_string();
        Command::new("sh").args(["-c", &format!("kill -ABRT {pid}")]).status().unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.module.as_deref(), report.address), (None, None));
    assert!(report.sent_by.is_some_and(|pid| pid != report.pid), "{report:?}");
}

#[test]
fn no_report_is_written_before_the_installation_or_after_its_end() {
    for installed in ["never", "no longer"] {
        let dead = dies_in_child(&[("SEGUE_CRASHER", installed)], |directory| {
            if std::env::var("SEGUE_CRASHER").unwrap() == "no longer" {
                drop(CrashReports::install(&directory.join(REPORTS)).unwrap());
            }
            let runtime = runtime(directory);
            runtime.load(fixture("crasher", V1)).unwrap();
            call(&runtime, "do=null");
        });
        assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
        let file = dead.directory.path().join(REPORTS);
        assert_eq!(file.exists(), installed == "no longer");
        assert_eq!(read_reports(&file).unwrap(), []);
    }
}
