//! Flags and symbols that would keep a file in memory for ever. They are found before the file is mapped,
//! reported, and cleared in the private copy; or the file is refused.

use std::{fs, path::Path};

use segue::{Code, Request, Step};
use segue_tests::{TestHost, V1, V2, fixture, in_child, until};
use tempfile::TempDir;

/// Whether the unchanged file stays mapped after `dlopen` and `dlclose`. If it does, it stays for ever, so
/// call this only in a child process.
fn stays_mapped(file: &Path) -> bool {
    const ROOT_MODULE: &str = "_1as_0lib_1header_0root_bmodule_bloader";
    let directory = TempDir::new().unwrap();
    let copy = directory.path().canonicalize().unwrap().join("copy.so");
    fs::copy(file, &copy).unwrap();
    segue_loader::bare_cycle(&copy, ROOT_MODULE).unwrap();
    segue_loader::mapped_below(copy.parent().unwrap()) == 1
}

#[test]
fn an_ordinary_file_is_unloaded() {
    in_child(|| {
        let file = fixture("sleeper", V1);
        assert!(segue::check(&file).unwrap().cleared.is_empty());
        assert!(!stays_mapped(&file));
    });
}

#[test]
fn a_file_with_nodelete_is_unloaded() {
    in_child(|| {
        let host = TestHost::new();
        let file = fixture("nodelete", V1);
        assert_eq!(segue::check(&file).unwrap().cleared, ["DF_1_NODELETE"]);
        assert!(stays_mapped(&file), "the dynamic linker would keep the unchanged file");
        let loaded = host.runtime.load(&file).unwrap();
        host.load("nodelete", V2).unwrap();
        until("the old version is unloaded", || host.runtime.images_mapped() == 1);
        let stored = host.state.path().join("images").join(format!("{}.so", loaded.digest.hex()));
        assert_eq!(fs::read(stored).unwrap(), fs::read(file).unwrap(), "the store has the original");
    });
}

/// The fixture has such a symbol only on x86-64; see its `build.rs`.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_file_with_a_unique_symbol_is_unloaded() {
    in_child(|| {
        let host = TestHost::new();
        let file = fixture("unique", V1);
        assert_eq!(segue::check(&file).unwrap().cleared, ["STB_GNU_UNIQUE of unique_word"]);
        assert!(stays_mapped(&file), "the dynamic linker would keep the unchanged file");
        for (version, mapped) in [(V1, 1), (V2, 1), (V1, 1)] {
            host.load("unique", version).unwrap();
            let module = host.module("unique");
            assert_eq!(module.call(&Request::get("/")).unwrap().body, b"7", "the symbol keeps its value");
            until("the old version is unloaded", || host.runtime.images_mapped() == mapped);
        }
    });
}

#[test]
fn static_thread_local_storage_is_refused_before_any_code_runs() {
    let host = TestHost::new();
    let refused = host.load("static-tls", V1).unwrap_err();
    assert_eq!((refused.code(), refused.step()), (Code::BadElf, Some(Step::Read)), "{refused}");
    assert!(refused.to_string().contains("DF_STATIC_TLS"), "{refused}");
    assert!(refused.hint().unwrap().contains("tls-model"));
    assert_eq!(host.staged(), 0);
}
