//! Crash reports: a process that gets a fatal signal records whose code it was in, and ends as it would have
//! without the report.

mod destinations;
mod host;
mod modules;

use std::{fs, path::Path};

use segue::{Request, Runtime};
use segue_loader::{AttributedBy, CrashReport, CrashReports, Digest, read_reports};
use segue_tests::{Dead, V1, fixture};

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// The file with the reports, in the directory of the child.
const REPORTS: &str = "crashes";

/// Installs crash reports, and starts a runtime.
fn with_reports(directory: &Path) -> (CrashReports, Runtime) {
    let reports = CrashReports::install(&directory.join(REPORTS)).unwrap();
    (reports, runtime(directory))
}

/// The same, with the module `crasher` loaded.
fn serving(directory: &Path) -> (CrashReports, Runtime) {
    let (reports, runtime) = with_reports(directory);
    runtime.load(fixture("crasher", V1)).unwrap();
    (reports, runtime)
}

fn runtime(directory: &Path) -> Runtime {
    // These tests check the loader's reports in a file of their own, so the runtime installs none.
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

/// The only report of a dead process.
fn only_report(dead: &Dead) -> CrashReport {
    let reports = read_reports(&dead.directory.path().join(REPORTS)).unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}\n{}", dead.stderr);
    reports.into_iter().next().unwrap()
}

/// Checks that a report names the first version of `crasher` and this function.
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
