//! What is no good is refused with its own code and step, and nothing has changed.

use std::{fs, path::Path};

use segue::{Code, Error, ErrorObject, Event, Request, Step};
use segue_tests::{Bench, V1, V2, fixture};
use tempfile::TempDir;

/// Loads what must be refused beside a version that serves, and answers with the refusal.
fn refused(bench: &Bench, file: &Path) -> (Error, ErrorObject) {
    let error = bench.runtime.load(file).expect_err("it must be refused");
    let told = match bench.runtime.events().recent(0).pop().unwrap().event {
        Event::Refused { error, .. } => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(told, ErrorObject::from(&error), "the event says what the caller was told");
    assert!(told.hint.is_some(), "and what to try next: {told:?}");
    let answer = bench.runtime.module("greeter").unwrap().call(&Request::get("/ada")).unwrap();
    assert_eq!(answer.body, b"Hello, ada! This is greeter 1.0.0.\n", "what served goes on serving");
    assert_eq!(bench.staged().len(), 1, "no private copy is left");
    assert_eq!(bench.runtime.images_mapped(), 1);
    (error, told)
}

fn serving() -> Bench {
    let bench = Bench::new();
    bench.runtime.load(fixture("greeter", V1)).unwrap();
    bench
}

fn write(directory: &TempDir, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn each_bad_file_has_its_code_and_step() {
    let bench = serving();
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
        let (_, told) = refused(&bench, &file);
        assert_eq!((told.code, told.step), (code, Some(step)), "{}: {told:?}", file.display());
    }
    let loaded: Vec<String> = bench.runtime.modules().into_iter().map(|module| module.name).collect();
    assert_eq!(loaded, ["greeter"], "what never was current is not shown");
}

#[test]
fn the_reason_of_a_veto_is_told() {
    let bench = serving();
    let (error, _) = refused(&bench, &fixture("vetoes-load", V1));
    assert!(error.to_string().contains("on_load refuses on purpose"), "{error}");
    let (error, _) = refused(&bench, &fixture("panics-on-load", V1));
    assert!(error.to_string().contains("on_load panics on purpose"), "{error}");
}

#[test]
fn a_file_cut_off_anywhere_is_refused_without_harm() {
    let bench = serving();
    let directory = TempDir::new().unwrap();
    let good = fs::read(fixture("greeter", V2)).unwrap();
    // Every length would take long; these hit each table of the file and the places around its segments.
    let step = good.len() / 199;
    for len in (0..good.len()).step_by(step) {
        let file = write(&directory, "cut.so", &good[..len]);
        let (_, told) = refused(&bench, &file);
        assert_eq!(told.code, Code::BadElf, "{len}: {told:?}");
    }
}

#[test]
fn a_name_is_checked_where_the_file_has_one() {
    let bench = serving();
    let directory = TempDir::new().unwrap();
    let good = fs::read(fixture("greeter", V2)).unwrap();
    let (_, told) = refused(&bench, &write(&directory, "libtextkit.so", &good));
    assert_eq!(told.code, Code::NameMismatch);
    // A version may follow the name, and a file that is not called lib… may be any module.
    assert!(bench.runtime.load(write(&directory, "libgreeter-1.1.0.so", &good)).is_ok());
    let v1 = fs::read(fixture("greeter", V1)).unwrap();
    segue_tests::until("old has left memory", || bench.runtime.images_mapped() == 1);
    assert!(bench.runtime.load(write(&directory, "next.so", &v1)).is_ok());
}

#[test]
fn checking_a_file_runs_nothing_of_it() {
    let report = segue::check(&fixture("panics-on-load", V1)).unwrap();
    assert_eq!((report.metadata.name.as_str(), report.metadata.version.as_str()), ("panics-on-load", V1));
    assert!(report.metadata.compiler.starts_with("rustc "));
    assert!(report.size_bytes > 0);
}

proptest::proptest! {
    /// Reading a file runs nothing of it and trusts nothing in it: whatever its bytes are, there is an
    /// answer.
    #[test]
    fn reading_a_scribbled_file_always_answers(
        scribbles in proptest::collection::vec((0usize..1 << 20, proptest::num::u8::ANY), 1..32),
        in_header in proptest::collection::vec((0usize..64 + 16 * 56, proptest::num::u8::ANY), 0..8),
        kept in 0.0..1.0f64,
    ) {
        let good = fs::read(fixture("greeter", V1)).unwrap();
        let mut bytes = good.clone();
        for (at, byte) in scribbles.into_iter().chain(in_header) {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        // Half of them also end early.
        if kept > 0.5 {
            bytes.truncate((good.len() as f64 * kept) as usize);
        }
        let directory = TempDir::new().unwrap();
        // Any answer will do, but for a panic.
        let _ = segue::check(&write(&directory, "scribbled.so", &bytes));
    }
}
