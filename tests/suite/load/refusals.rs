//! A bad file is refused with its own code and step, and nothing changes.

use std::{fs, path::Path};

use segue::{Code, Error, ErrorObject, Event, Request, Step};
use segue_tests::{TestHost, V1, V2, fixture};
use tempfile::TempDir;

/// Loads a file that must be refused while another version serves; returns the refusal.
fn refused(host: &TestHost, file: &Path) -> (Error, ErrorObject) {
    let error = host.runtime.load(file).expect_err("it must be refused");
    let recorded = match host.runtime.events().recent(0).pop().unwrap().event {
        Event::Refused { error, .. } => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(recorded, ErrorObject::from(&error), "the event has the error that the caller got");
    assert!(recorded.hint.is_some(), "the error has a hint: {recorded:?}");
    let answer = host.module("greeter").call(&Request::get("/ada")).unwrap();
    assert_eq!(answer.body, b"Hello, ada! This is greeter 1.0.0.\n", "the version before still serves");
    assert_eq!(host.staged(), 1, "no private copy is left");
    assert_eq!(host.runtime.images_mapped(), 1);
    (error, recorded)
}

/// A host with the first version of `greeter`.
fn serving() -> TestHost {
    TestHost::serving("greeter").0
}

fn write(directory: &TempDir, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn each_bad_file_has_its_code_and_step() {
    let host = serving();
    let directory = TempDir::new().unwrap();
    let good = fs::read(fixture("greeter", V2)).unwrap();
    let mut other_machine = good.clone();
    other_machine[18..20].copy_from_slice(&183u16.to_le_bytes()); // e_machine: AArch64
    let mut not_shared = good.clone();
    not_shared[16..18].copy_from_slice(&2u16.to_le_bytes()); // e_type: an executable

    let cases = [
        (directory.path().join("nothing.so"), Code::NotFound, Step::Stage),
        (directory.path().to_owned(), Code::BadFile, Step::Stage),
        (write(&directory, "empty.so", b""), Code::BadElf, Step::Read),
        (write(&directory, "text.so", b"#!/bin/sh\n"), Code::BadElf, Step::Read),
        (write(&directory, "half.so", &good[..good.len() / 2]), Code::BadElf, Step::Read),
        (write(&directory, "almost.so", &good[..good.len() - 1]), Code::BadElf, Step::Read),
        (write(&directory, "machine.so", &other_machine), Code::WrongMachine, Step::Read),
        (write(&directory, "program.so", &not_shared), Code::BadElf, Step::Read),
        (fixture("no-metadata", V1), Code::NoMetadata, Step::Read),
        (fixture("impostor", V1), Code::NameMismatch, Step::Read),
        (fixture("other-prefix", V1), Code::AbiMismatch, Step::Map),
        (fixture("panics-on-load", V1), Code::OnLoadFailed, Step::OnLoad),
        (fixture("vetoes-load", V1), Code::OnLoadFailed, Step::OnLoad),
    ];
    for (file, code, step) in cases {
        let (_, error) = refused(&host, &file);
        assert_eq!((error.code, error.step), (code, Some(step)), "{}: {error:?}", file.display());
    }
    let loaded: Vec<String> = host.runtime.modules().into_iter().map(|module| module.name).collect();
    assert_eq!(loaded, ["greeter"], "a module that was never current is not listed");
}

#[test]
fn a_refusal_has_the_text_of_on_load() {
    let host = serving();
    let (error, _) = refused(&host, &fixture("vetoes-load", V1));
    assert!(error.to_string().contains("on_load refuses on purpose"), "{error}");
    let (error, _) = refused(&host, &fixture("panics-on-load", V1));
    assert!(error.to_string().contains("on_load panics on purpose"), "{error}");
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let host = serving();
    let directory = TempDir::new().unwrap();
    let good = fs::read(fixture("greeter", V2)).unwrap();
    // Every length would take long. These hit each table of the file and the edges of its segments.
    let step = good.len() / 199;
    for len in (0..good.len()).step_by(step) {
        let file = write(&directory, "cut.so", &good[..len]);
        let (_, error) = refused(&host, &file);
        assert_eq!(error.code, Code::BadElf, "{len}: {error:?}");
    }
}

#[test]
fn a_file_name_must_match_the_module() {
    let host = serving();
    let directory = TempDir::new().unwrap();
    let good = fs::read(fixture("greeter", V2)).unwrap();
    let (_, error) = refused(&host, &write(&directory, "libtextkit.so", &good));
    assert_eq!(error.code, Code::NameMismatch);
    // A version may follow the name, and a file that does not start with `lib` may be any module.
    assert!(host.runtime.load(write(&directory, "libgreeter-1.1.0.so", &good)).is_ok());
    let v1 = fs::read(fixture("greeter", V1)).unwrap();
    segue_tests::until("the old version is unloaded", || host.runtime.images_mapped() == 1);
    assert!(host.runtime.load(write(&directory, "next.so", &v1)).is_ok());
}

#[test]
fn checking_a_file_runs_none_of_its_code() {
    let report = segue::check(&fixture("panics-on-load", V1)).unwrap();
    assert_eq!((report.metadata.name.as_str(), report.metadata.version.as_str()), ("panics-on-load", V1));
    assert!(report.metadata.compiler.starts_with("rustc "));
    assert!(report.size_bytes > 0);
}

proptest::proptest! {
    /// Reading a file runs none of its code and trusts none of its bytes, so it never fails with a panic.
    #[test]
    fn reading_a_corrupted_file_never_panics(
        anywhere in proptest::collection::vec((0usize..1 << 20, proptest::num::u8::ANY), 1..32),
        in_header in proptest::collection::vec((0usize..64 + 16 * 56, proptest::num::u8::ANY), 0..8),
        kept in 0.0..1.0f64,
    ) {
        let good = fs::read(fixture("greeter", V1)).unwrap();
        let mut bytes = good.clone();
        for (at, byte) in anywhere.into_iter().chain(in_header) {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        // Half of the files are also cut off.
        if kept > 0.5 {
            bytes.truncate((good.len() as f64 * kept) as usize);
        }
        let directory = TempDir::new().unwrap();
        // Any result will do, except a panic.
        let _ = segue::check(&write(&directory, "corrupted.so", &bytes));
    }
}
