//! Marks in a file by which it would never leave memory: found before it is mapped, and told; cleared in the
//! private copy, or refused.

use std::{fs, path::Path};

use segue::{Code, Request, Step};
use segue_tests::{Bench, V1, V2, fixture, in_child, until};
use tempfile::TempDir;

/// Whether the dynamic linker keeps the file, as it is, when it is opened, looked into and closed. Where it
/// does, it keeps it for ever, so this is for a process of its own.
fn stays_mapped(file: &Path) -> bool {
    const ROOT_MODULE: &str = "_1as_0lib_1header_0root_bmodule_bloader";
    let directory = TempDir::new().unwrap();
    let copy = directory.path().canonicalize().unwrap().join("copy.so");
    fs::copy(file, &copy).unwrap();
    segue_loader::bare_cycle(&copy, ROOT_MODULE).unwrap();
    segue_loader::mapped_below(copy.parent().unwrap()) == 1
}

#[test]
fn a_file_without_marks_is_unloaded_as_it_is() {
    in_child("marks::a_file_without_marks_is_unloaded_as_it_is", || {
        let file = fixture("sleeper", V1);
        assert!(segue::check(&file).unwrap().cleared.is_empty());
        assert!(!stays_mapped(&file));
    });
}

#[test]
fn a_file_that_asks_never_to_be_unloaded_is_unloaded() {
    in_child("marks::a_file_that_asks_never_to_be_unloaded_is_unloaded", || {
        let bench = Bench::new();
        let file = fixture("nodelete", V1);
        assert_eq!(segue::check(&file).unwrap().cleared, ["DF_1_NODELETE"]);
        assert!(stays_mapped(&file), "unchanged, the dynamic linker would keep it");
        let loaded = bench.runtime.load(&file).unwrap();
        bench.runtime.load(fixture("nodelete", V2)).unwrap();
        until("old has left memory", || bench.runtime.images_mapped() == 1);
        let kept = bench.state.path().join("images").join(format!("{}.so", loaded.digest.hex()));
        assert_eq!(fs::read(kept).unwrap(), fs::read(file).unwrap(), "the store has it as it was");
    });
}

/// Only where the fixture has such a symbol; see its `build.rs`.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_symbol_that_is_to_be_one_in_a_process_does_not_keep_its_file() {
    in_child("marks::a_symbol_that_is_to_be_one_in_a_process_does_not_keep_its_file", || {
        let bench = Bench::new();
        let file = fixture("unique", V1);
        assert_eq!(segue::check(&file).unwrap().cleared, ["STB_GNU_UNIQUE of unique_word"]);
        assert!(stays_mapped(&file), "unchanged, the dynamic linker would keep it");
        for (version, mapped) in [(V1, 1), (V2, 1), (V1, 1)] {
            bench.runtime.load(fixture("unique", version)).unwrap();
            let module = bench.runtime.module("unique").unwrap();
            assert_eq!(module.call(&Request::get("/")).unwrap().body, b"7", "what it means is as it was");
            until("old has left memory", || bench.runtime.images_mapped() == mapped);
        }
    });
}

#[test]
fn static_thread_local_storage_is_refused_before_anything_runs() {
    let bench = Bench::new();
    let refused = bench.runtime.load(fixture("static-tls", V1)).unwrap_err();
    assert_eq!((refused.code(), refused.step()), (Code::BadElf, Some(Step::Read)), "{refused}");
    assert!(refused.to_string().contains("DF_STATIC_TLS"), "{refused}");
    assert!(refused.hint().unwrap().contains("tls-model"));
    assert!(bench.staged().is_empty());
}
