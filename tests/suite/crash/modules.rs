//! Crashes in a module: the report names the version and the function.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    thread,
};

use segue_loader::{AttributedBy, Digest, read_reports};
use segue_tests::{V1, V2, dies_in_child, fixture};

use super::{
    REPORTS, SIGABRT, SIGILL, SIGSEGV, SIGTRAP, assert_names_the_module, call, die_of, only_report, serving,
    with_reports,
};

#[test]
fn a_null_pointer_in_a_module_is_reported_with_the_function() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=null"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.signal, report.signal_name.as_str()), (SIGSEGV, "SIGSEGV"));
    assert_eq!(report.address, Some(8));
    let file = fs::metadata(dead.directory.path().join(REPORTS)).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600, "only the owner may read the reports");
    assert_names_the_module(&report, AttributedBy::Address, "write_at_null");
}

#[test]
fn an_abort_is_attributed_by_the_stack() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=abort"));
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.signal_name.as_str(), report.address), ("SIGABRT", None));
    // The module has its own copy of the standard library, so its `abort` is on the stack.
    assert_names_the_module(&report, AttributedBy::Stack, "abort");
}

#[test]
fn a_fault_in_libc_is_attributed_to_the_module_that_called_it() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=fault-in-libc"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    assert_names_the_module(&only_report(&dead), AttributedBy::Stack, "measure_nothing");
}

#[test]
fn a_call_of_a_bad_pointer_is_attributed_to_the_module_that_made_it() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=call-nothing"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!(report.pc, 8);
    assert_names_the_module(&report, AttributedBy::Stack, "call_nothing");
}

#[test]
fn an_illegal_instruction_and_a_trap_are_reported_with_their_signals() {
    for (query, signal, function) in [("do=illegal", SIGILL, "run_illegal"), ("do=trap", SIGTRAP, "run_trap")]
    {
        let dead = dies_in_child(&[("SEGUE_CRASHER", query)], |directory| {
            let (_reports, runtime) = serving(directory);
            call(&runtime, &std::env::var("SEGUE_CRASHER").unwrap());
        });
        assert_eq!(dead.status.signal(), Some(signal), "{}", dead.stderr);
        let report = only_report(&dead);
        assert_eq!(report.signal, signal);
        assert_names_the_module(&report, AttributedBy::Address, function);
    }
}

/// After the report, the handler of the host's `std` runs: it detects the overflow by the guard page, prints
/// it, and aborts.
#[test]
fn a_stack_overflow_is_reported_once_and_then_handled_by_std() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=stack-overflow"));
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    assert!(dead.stderr.contains("has overflowed its stack"), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!(report.signal, SIGSEGV);
    assert_names_the_module(&report, AttributedBy::Address, "go_deeper");
}

#[test]
fn a_crash_of_a_thread_of_the_module_is_reported() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=thread"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_names_the_module(&report, AttributedBy::Address, "write_at_null");
    assert_ne!(report.tid, report.pid);
}

#[test]
fn a_stack_overflow_of_a_thread_of_the_module_is_reported() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=thread-stack-overflow"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    assert_names_the_module(&only_report(&dead), AttributedBy::Address, "go_deeper");
}

#[test]
fn a_module_that_calls_exit_is_reported_and_the_exit_code_stays() {
    for query in ["do=exit", "do=thread-exit"] {
        let dead = dies_in_child(&[("SEGUE_CRASHER", query)], |directory| {
            let (_reports, runtime) = serving(directory);
            let caller = fs::read_link("/proc/thread-self").unwrap();
            fs::write(directory.join("caller"), caller.file_name().unwrap().as_encoded_bytes()).unwrap();
            call(&runtime, &std::env::var("SEGUE_CRASHER").unwrap());
        });
        assert_eq!(dead.status.code(), Some(3), "{}", dead.stderr);
        let report = only_report(&dead);
        assert_eq!((report.signal, report.signal_name.as_str()), (0, "exit(3)"), "{report:?}");
        assert_eq!(
            (report.module.as_deref(), report.version.as_deref(), report.generation),
            (Some("crasher"), Some(V1), Some(1))
        );
        assert_eq!(report.digest, Some(Digest::of(&fs::read(fixture("crasher", V1)).unwrap())));
        assert_eq!((report.attributed_by, report.offset), (Some(AttributedBy::Exit), None));
        let caller = fs::read_to_string(dead.directory.path().join("caller")).unwrap();
        assert_eq!(report.tid.to_string() == caller, query == "do=exit", "{report:?}");
    }
}

#[test]
fn a_crash_during_exit_adds_no_second_report() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=exit-and-fault"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    assert_eq!(only_report(&dead).signal_name, "exit(3)");
}

#[test]
fn an_exit_of_a_forked_child_or_of_the_host_is_not_reported() {
    let dead = dies_in_child(&[], |directory| {
        let (_reports, runtime) = serving(directory);
        call(&runtime, "do=fork-exit");
        // This is the exit of the host.
        std::process::exit(4);
    });
    assert_eq!(dead.status.code(), Some(4), "{}", dead.stderr);
    assert_eq!(read_reports(&dead.directory.path().join(REPORTS)).unwrap(), []);
}

#[test]
fn a_crash_in_a_constructor_is_attributed_to_the_file_being_opened() {
    let dead = dies_in_child(&[("SEGUE_CRASHER", "constructor")], |directory| {
        let (_reports, runtime) = with_reports(directory);
        let _ = runtime.load(fixture("crasher", V1));
    });
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.module.as_deref(), report.generation), (Some("crasher"), Some(1)), "{report:?}");
    assert_eq!((report.attributed_by, report.offset), (Some(AttributedBy::Opening), None));
}

#[test]
fn of_two_versions_the_one_that_crashed_is_named() {
    let dead = dies_in_child(&[], |directory| {
        let (_reports, runtime) = serving(directory);
        let module = runtime.module("crasher").unwrap();
        let inside_old = module.enter().unwrap();
        runtime.load(fixture("crasher", V2)).unwrap();
        assert_eq!(runtime.images_mapped(), 2);
        call(&runtime, "do=null");
        drop(inside_old);
    });
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.version.as_deref(), report.generation), (Some(V2), Some(2)), "{report:?}");
    let file = fs::read(fixture("crasher", V2)).unwrap();
    assert!(report.symbol(&file).unwrap().contains("write_at_null"));
    assert_eq!(
        report.symbol(&fs::read(fixture("crasher", V1)).unwrap()),
        None,
        "the first version is another file"
    );
}

#[test]
fn threads_that_crash_at_once_each_write_a_complete_line() {
    for _ in 0..5 {
        let dead = dies_in_child(&[], |directory| {
            let (_reports, runtime) = serving(directory);
            let start = std::sync::Barrier::new(8);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        start.wait();
                        call(&runtime, "do=null");
                    });
                }
            });
        });
        assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
        let file = dead.directory.path().join(REPORTS);
        let reports = read_reports(&file).unwrap();
        assert!((1..=8).contains(&reports.len()));
        assert_eq!(fs::read_to_string(file).unwrap().lines().count(), reports.len(), "each line is complete");
        let mut threads: Vec<i32> = reports.iter().map(|report| report.tid).collect();
        threads.sort_unstable();
        threads.dedup();
        assert_eq!(threads.len(), reports.len(), "each thread reports once");
        for report in &reports {
            assert_names_the_module(report, AttributedBy::Address, "write_at_null");
        }
    }
}
