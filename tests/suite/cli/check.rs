//! `segue check` reports the libraries and imports of a file that matter for an unload, and what this system
//! lacks.

use std::fs;

use segue::{Finding, FindingKind};
use segue_tests::{Command, V1, fixture, fixture_str};
use tempfile::TempDir;

use crate::SEGUE;

/// The findings of a copy of a fixture in which strings are replaced by others of the same length.
fn findings(package: &str, changes: &[(&str, &str)]) -> Vec<Finding> {
    let mut bytes = fs::read(fixture(package, V1)).unwrap();
    for (from, to) in changes {
        assert_eq!(from.len(), to.len(), "{from} {to}");
        // The dynamic linker's strings come first in the file.
        let at = bytes.windows(from.len() + 1).position(|at| at == format!("{from}\0").as_bytes());
        let at = at.unwrap_or_else(|| panic!("{package} has no {from}"));
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("module.so");
    fs::write(&path, bytes).unwrap();
    segue::check(&path).unwrap().findings
}

fn kinds(findings: &[Finding]) -> Vec<(FindingKind, &str)> {
    findings.iter().map(|finding| (finding.kind, &*finding.subject)).collect()
}

#[test]
fn an_ordinary_module_has_no_findings() {
    for package in ["greeter", "shop", "textkit", "thread-spawner"] {
        assert_eq!(findings(package, &[]), [], "{package}");
    }
}

#[test]
fn each_import_that_matters_is_reported_with_advice() {
    assert_eq!(
        findings("holder", &[]),
        [],
        "its signal functions are the SDK's, and those symbols are hidden"
    );
    assert_eq!(kinds(&findings("everything", &[])), [(FindingKind::Dlopen, "dlopen")]);
    // The replacements are functions of libc, so a load would find them.
    let cases = [
        (("sched_yield", "thrd_create"), FindingKind::Thread),
        (("pthread_self", "timer_create"), FindingKind::Timer),
        (("realloc", "on_exit"), FindingKind::ExitHandler),
        (("memcpy", "sigset"), FindingKind::Signal),
    ];
    for ((from, to), kind) in cases {
        let found = findings("holder", &[(from, to)]);
        let found = found.iter().find(|found| found.kind == kind).unwrap_or_else(|| panic!("{to}"));
        assert_eq!(found.subject, to);
        assert!(found.meaning.len() > 20 && found.advice.contains("Drop"), "{found:?}");
    }
}

#[test]
fn external_libraries_are_reported() {
    let external = findings("greeter", &[("libgcc_s.so.1", "libmine.so.42")]);
    let kinds_of = kinds(&external);
    assert!(kinds_of.contains(&(FindingKind::ExternalLibrary, "libmine.so.42")), "{external:?}");
    assert!(kinds_of.contains(&(FindingKind::MissingLibrary, "libmine.so.42")), "{external:?}");
    let cpp = findings("greeter", &[("libgcc_s.so.1", "libstdc++.so.")]);
    let cpp = cpp.iter().find(|found| found.kind == FindingKind::CppRuntime).unwrap();
    assert!(cpp.advice.contains("cpp_link_stdlib_static"), "{cpp:?}");
}

#[test]
fn missing_versions_and_symbols_are_reported() {
    let version = findings("greeter", &[("GLIBC_2.34", "GLIBC_9.99")]);
    assert_eq!(kinds(&version), [(FindingKind::MissingVersion, "GLIBC_9.99")]);
    assert!(version[0].meaning.contains("libc.so.6"), "{version:?}");
    let symbol = findings("holder", &[("pthread_setname_np", "pthread_setname_xx")]);
    assert!(kinds(&symbol).contains(&(FindingKind::MissingSymbol, "pthread_setname_xx")), "{symbol:?}");
}

#[test]
fn the_command_prints_findings_as_text_and_as_json() {
    let (code, report) = Command::new(SEGUE).json(&["check", &fixture_str("everything", V1)]);
    assert_eq!((code, &report["findings"][0]["kind"]), (Some(0), &"dlopen".into()), "{report}");
    let text = Command::new(SEGUE).run(["check", &fixture_str("everything", V1)]);
    assert!(text.stdout.contains("\nnote        dlopen: it can open"), "{text:?}");
    let (_, clean) = Command::new(SEGUE).json(&["check", &fixture_str("greeter", V1)]);
    assert_eq!(clean["findings"].as_array().map(Vec::len), Some(0), "{clean}");
}
