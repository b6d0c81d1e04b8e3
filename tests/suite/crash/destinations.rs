//! Where reports are written if several runtimes share a process.

use std::os::unix::process::ExitStatusExt;

use segue_loader::{
    Candidate, CrashReports, Expected, LinkTarget, Log, Services,
    abi::{FieldRef, Level, RecordRef, SpanRef},
    clear_reports, read_reports,
};
use segue_tests::{V1, dies_in_child, fixture};

/// Host services that do nothing.
struct NoServices;

impl Log for NoServices {
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

impl Services for NoServices {
    fn link(&self, _: &str, _: Option<Expected>) -> Result<Box<dyn LinkTarget>, String> {
        Err("there is no other module".to_owned())
    }
    fn is_cancelled(&self) -> bool {
        false
    }
}

#[test]
fn a_report_goes_to_the_runtime_of_the_image_and_a_host_crash_to_all() {
    for what in ["constructor", "host"] {
        let dead = dies_in_child(&[("SEGUE_CRASHER", what)], |directory| {
            let _one = CrashReports::install(&directory.join("one")).unwrap();
            let two = CrashReports::install(&directory.join("two")).unwrap();
            if std::env::var("SEGUE_CRASHER").unwrap() == "host" {
                std::process::abort();
            }
            let candidate = Candidate::read(&fixture("crasher", V1)).unwrap().inspect().unwrap();
            let staged = candidate.stage(directory, 7).unwrap().report_to(&two);
            drop(staged.map(Box::new(NoServices)));
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
        assert_eq!(modules(&two), [], "a cleared report is gone");
    }
}

#[test]
fn a_path_that_cannot_hold_reports_is_refused() {
    let directory = tempfile::TempDir::new().unwrap();
    assert!(CrashReports::install(directory.path()).is_err(), "a directory");
    assert!(CrashReports::install(&directory.path().join("not/there")).is_err(), "a missing directory");
}
