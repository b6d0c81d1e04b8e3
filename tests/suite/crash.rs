//! A process that dies of a fatal signal says whose code it was, and dies as it would have.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use segue::{Request, Runtime};
use segue_loader::{
    AttributedBy, Candidate, CrashReport, CrashReports, Digest, Expected, LinkTarget, Log, Services,
    abi::{FieldRef, Level, RecordRef, SpanRef},
    clear_reports, read_reports,
};
use segue_tests::{Dead, V1, V2, dies_in_child, fixture, until};

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// The file that reports are written into.
const REPORTS: &str = "crashes";

/// A runtime of this process, whose end is reported.
fn reported(directory: &Path) -> (CrashReports, Runtime) {
    let reports = CrashReports::install(&directory.join(REPORTS)).unwrap();
    (reports, runtime(directory))
}

/// The same, with the module in it.
fn serving(directory: &Path) -> (CrashReports, Runtime) {
    let (reports, runtime) = reported(directory);
    runtime.load(fixture("crasher", V1)).unwrap();
    (reports, runtime)
}

fn runtime(directory: &Path) -> Runtime {
    // What is tested is the loader's own reports, into a file of the test's.
    Runtime::builder().state_dir(directory.join("state")).without_crash_reports().build().unwrap()
}

fn call(runtime: &Runtime, query: &str) {
    let module = runtime.module("crasher").unwrap();
    module.call(&Request { query, ..Request::get("/") }).unwrap();
}

/// Loads the module and calls it, which ends this process.
fn die_of(directory: &Path, query: &str) {
    let (_reports, runtime) = serving(directory);
    call(&runtime, query);
}

/// The one report that a dead process has left.
fn only_report(dead: &Dead) -> CrashReport {
    let reports = read_reports(&dead.directory.path().join(REPORTS)).unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}\n{}", dead.stderr);
    reports.into_iter().next().unwrap()
}

/// What a report says of the module's first version, and of its function of that name.
fn assert_names_the_module(report: &CrashReport, by: AttributedBy, function: &str) {
    let file = fs::read(fixture("crasher", V1)).unwrap();
    assert_eq!(
        (report.module.as_deref(), report.version.as_deref()),
        (Some("crasher"), Some(V1)),
        "{report:?}"
    );
    assert_eq!((report.generation, report.digest), (Some(1), Some(Digest::of(&file))), "{report:?}");
    assert_eq!(report.attributed_by, Some(by), "{report:?}");
    assert!(report.offset.is_some_and(|offset| offset > 0 && offset < file.len() as u64), "{report:?}");
    let symbol = report.symbol(&file).unwrap_or_default();
    assert!(symbol.contains(function) && symbol.contains("+0x"), "{symbol:?} {report:?}");
    assert_eq!(report.sent_by, None);
    assert!(report.at > 1_700_000_000 && report.pid > 0 && report.tid > 0);
}

#[test]
fn a_null_pointer_in_a_module_is_told_with_the_function_that_followed_it() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=null"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.signal, report.signal_name.as_str()), (SIGSEGV, "SIGSEGV"));
    assert_eq!(report.address, Some(8));
    let file = fs::metadata(dead.directory.path().join(REPORTS)).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600, "it is nobody else's business");
    assert_names_the_module(&report, AttributedBy::Address, "write_at_null");
}

#[test]
fn an_abort_is_told_by_what_is_on_the_stack() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=abort"));
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.signal_name.as_str(), report.address), ("SIGABRT", None));
    // That of the standard library that is in the module.
    assert_names_the_module(&report, AttributedBy::Stack, "abort");
}

#[test]
fn a_fault_in_libc_is_told_of_the_module_that_called_it() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=fault-in-libc"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    assert_names_the_module(&only_report(&dead), AttributedBy::Stack, "measure_nothing");
}

#[test]
fn a_pointer_to_no_function_is_told_of_the_module_that_called_it() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=call-nothing"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!(report.pc, 8);
    assert_names_the_module(&report, AttributedBy::Stack, "call_nothing");
}

#[test]
fn an_illegal_instruction_and_a_trap_end_the_process_by_their_own_signals() {
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

/// `std` in the host knows the guard pages of its threads, tells of the overflow, and aborts: it comes after
/// the report.
#[test]
fn a_stack_overflow_is_told_once_and_then_what_was_there_before_tells_it_too() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=stack-overflow"));
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    assert!(dead.stderr.contains("has overflowed its stack"), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!(report.signal, SIGSEGV);
    assert_names_the_module(&report, AttributedBy::Address, "go_deeper");
}

#[test]
fn a_thread_of_the_module_that_crashes_is_told() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=thread"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_names_the_module(&report, AttributedBy::Address, "write_at_null");
    assert_ne!(report.tid, report.pid);
}

#[test]
fn a_thread_of_the_module_that_overflows_its_stack_is_told() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=thread-stack-overflow"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    assert_names_the_module(&only_report(&dead), AttributedBy::Address, "go_deeper");
}

#[test]
fn a_module_that_calls_exit_is_told_and_the_process_ends_so() {
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
fn what_goes_wrong_while_a_process_ends_by_exit_is_not_told_beside_it() {
    let dead = dies_in_child(&[], |directory| die_of(directory, "do=exit-and-fault"));
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    assert_eq!(only_report(&dead).signal_name, "exit(3)");
}

#[test]
fn who_ends_itself_and_no_process_of_a_module_is_told_of_nobody() {
    let dead = dies_in_child(&[], |directory| {
        let (_reports, runtime) = serving(directory);
        call(&runtime, "do=fork-exit");
        // The host's own end.
        std::process::exit(4);
    });
    assert_eq!(dead.status.code(), Some(4), "{}", dead.stderr);
    assert_eq!(read_reports(&dead.directory.path().join(REPORTS)).unwrap(), []);
}

#[test]
fn a_constructor_that_crashes_is_told_of_the_file_that_was_being_opened() {
    let dead = dies_in_child(&[("SEGUE_CRASHER", "constructor")], |directory| {
        let (_reports, runtime) = reported(directory);
        let _ = runtime.load(fixture("crasher", V1));
    });
    assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.module.as_deref(), report.generation), (Some("crasher"), Some(1)), "{report:?}");
    assert_eq!((report.attributed_by, report.offset), (Some(AttributedBy::Opening), None));
}

#[test]
fn of_two_versions_it_is_the_one_that_crashed() {
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
    assert_eq!(report.symbol(&fs::read(fixture("crasher", V1)).unwrap()), None, "it is another file");
}

#[test]
fn threads_that_crash_at_once_each_write_a_whole_line() {
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
        assert_eq!(
            fs::read_to_string(file).unwrap().lines().count(),
            reports.len(),
            "each line is a whole one"
        );
        let mut threads: Vec<i32> = reports.iter().map(|report| report.tid).collect();
        threads.sort_unstable();
        threads.dedup();
        assert_eq!(threads.len(), reports.len(), "each thread tells it once");
        for report in &reports {
            assert_names_the_module(report, AttributedBy::Address, "write_at_null");
        }
    }
}

// === What is no module's ===

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

/// The second version jumps to where the first one has been.
#[test]
fn a_version_that_was_purged_is_named_as_what_was_there() {
    let dead = dies_in_child(&[], |directory| {
        let (_reports, runtime) = serving(directory);
        let module = runtime.module("crasher").unwrap();
        let answer = module.call(&Request { query: "do=where", ..Request::get("/") }).unwrap();
        let address = String::from_utf8(answer.body.to_vec()).unwrap();
        fs::write(directory.join("address"), &address).unwrap();
        runtime.load(fixture("crasher", V2)).unwrap();
        until("the old version is unloaded, and that is told", || {
            runtime.status("crasher").unwrap().old.is_none()
        });
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
fn a_signal_from_another_process_is_told_with_its_sender_and_blamed_on_nobody() {
    let dead = dies_in_child(&[], |directory| {
        let _serving = serving(directory);
        let me = std::process::id().to_string();
        Command::new("sh").args(["-c", &format!("kill -ABRT {me}")]).status().unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    assert_eq!(dead.status.signal(), Some(SIGABRT), "{}", dead.stderr);
    let report = only_report(&dead);
    assert_eq!((report.module.as_deref(), report.address), (None, None));
    assert!(report.sent_by.is_some_and(|pid| pid != report.pid), "{report:?}");
}

#[test]
fn who_asked_for_no_report_or_asks_no_more_gets_none() {
    for asked in ["never", "no more"] {
        let dead = dies_in_child(&[("SEGUE_CRASHER", asked)], |directory| {
            if std::env::var("SEGUE_CRASHER").unwrap() == "no more" {
                drop(CrashReports::install(&directory.join(REPORTS)).unwrap());
            }
            let runtime = runtime(directory);
            runtime.load(fixture("crasher", V1)).unwrap();
            call(&runtime, "do=null");
        });
        assert_eq!(dead.status.signal(), Some(SIGSEGV), "{}", dead.stderr);
        let file = dead.directory.path().join(REPORTS);
        assert_eq!(file.exists(), asked == "no more");
        assert_eq!(read_reports(&file).unwrap(), []);
    }
}

// === Several runtimes in a process ===

/// A host that does nothing for a module.
struct Mute;

impl Log for Mute {
    fn enabled(&self, _: Level) -> bool {
        false
    }
    fn event(&self, _: &RecordRef<'_>) {}
    fn span_new(&self, _: &SpanRef<'_>) -> u64 {
        1
    }
    fn span_record(&self, _: u64, _: &[FieldRef<'_>]) {}
    fn span_enter(&self, _: u64) {}
    fn span_exit(&self, _: u64) {}
    fn span_close(&self, _: u64) {}
    fn panicked(&self, _: &str, _: &str, _: u32) {}
}

impl Services for Mute {
    fn link(&self, _: &str, _: Option<Expected>) -> Result<Box<dyn LinkTarget>, String> {
        Err("there is nobody else".to_owned())
    }
    fn is_cancelled(&self) -> bool {
        false
    }
}

#[test]
fn a_report_goes_to_whom_the_image_was_told_to_and_a_crash_of_the_host_to_all() {
    for what in ["constructor", "host"] {
        let dead = dies_in_child(&[("SEGUE_CRASHER", what)], |directory| {
            let _one = CrashReports::install(&directory.join("one")).unwrap();
            let two = CrashReports::install(&directory.join("two")).unwrap();
            if std::env::var("SEGUE_CRASHER").unwrap() == "host" {
                std::process::abort();
            }
            let candidate = Candidate::read(&fixture("crasher", V1)).unwrap().inspect().unwrap();
            let staged = candidate.stage(directory, 7).unwrap().report_to(&two);
            drop(staged.map(Box::new(Mute)));
        });
        assert!(dead.status.signal().is_some(), "{}", dead.stderr);
        let [one, two] = ["one", "two"].map(|file| dead.directory.path().join(file));
        let modules =
            |file| read_reports(file).unwrap().into_iter().map(|report| report.module).collect::<Vec<_>>();
        if what == "host" {
            assert_eq!((modules(&one), modules(&two)), (vec![None], vec![None]));
        } else {
            assert_eq!((modules(&one), modules(&two)), (vec![], vec![Some("crasher".to_owned())]));
        }
        clear_reports(&two, &read_reports(&two).unwrap()).unwrap();
        assert_eq!(modules(&two), [], "it is told once");
    }
}

#[test]
fn what_cannot_have_reports_is_refused() {
    let directory = tempfile::TempDir::new().unwrap();
    assert!(CrashReports::install(directory.path()).is_err(), "a directory");
    assert!(CrashReports::install(&directory.path().join("not/there")).is_err(), "in no directory");
}
