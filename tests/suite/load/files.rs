//! Which files a load takes and which it refuses. A refusal leaves nothing behind.

use std::{fs, thread};

use segue::{Code, Digest, Error, Event, LoadOptions, LoadOutcome, Source};
use segue_tests::{TestHost, V1, V2, fixture, hooks_answer, in_child, names_in, refusal, until};

#[test]
fn otp_03_each_bad_file_is_refused_with_its_own_code() {
    let host = TestHost::new();
    assert_eq!(refusal(host.runtime.load("/nowhere/libhooks.so")), Code::NotFound, "nofile");
    // Wrong names, and paths that are not files.
    let directory = tempfile::tempdir().unwrap();
    let misnamed = directory.path().join("libsleeper.so");
    fs::copy(fixture("hooks", V1), &misnamed).unwrap();
    assert_eq!(refusal(host.runtime.load(&misnamed)), Code::NameMismatch, "badfile");
    assert_eq!(refusal(host.load("impostor", V1)), Code::NameMismatch, "badfile");
    assert_eq!(refusal(host.runtime.load(directory.path())), Code::BadFile);
    fs::write(directory.path().join("hooks.so"), "no module").unwrap();
    assert_eq!(refusal(host.runtime.load(directory.path().join("hooks.so"))), Code::BadElf);
    assert!(host.runtime.modules().is_empty() && host.log().is_empty());

    assert_eq!(host.load("hooks", V1).unwrap().outcome, LoadOutcome::Loaded);
    host.runtime.stick("hooks").unwrap();
    assert_eq!(refusal(host.load("hooks", V2)), Code::Sticky);
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    // Each refusal is recorded once.
    let expected =
        [Code::NotFound, Code::NameMismatch, Code::NameMismatch, Code::BadFile, Code::BadElf, Code::Sticky];
    assert_eq!(host.refusals(), expected);
}

#[test]
fn otp_04_a_load_from_bytes_never_purges() {
    let host = TestHost::new();
    let put = |version| host.runtime.put_image(&fs::read(fixture("hooks", version)).unwrap()).unwrap();
    let load = |digest| host.runtime.load_with(&Source::Stored(digest), &LoadOptions::default());
    assert_eq!(refusal(host.runtime.put_image(b"")), Code::BadElf);
    assert_eq!(refusal(host.runtime.put_image(b"no module")), Code::BadElf);
    assert_eq!(refusal(load(Digest::of(b"never put there"))), Code::NotFound);
    assert_eq!(load(put(V1)).unwrap().version, V1);
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    // Unlike OTP's, no load purges.
    let inside = host.module("hooks").enter_owned().unwrap();
    load(put(V2)).unwrap();
    assert_eq!(refusal(load(put(V1))), Code::NotPurged);
    drop(inside);
    host.wait_until_old_is_gone("hooks");
    host.runtime.stick("hooks").unwrap();
    assert_eq!(refusal(load(put(V1))), Code::Sticky);
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
}

#[test]
fn otp_05_loading_a_current_file_again_changes_nothing() {
    let host = TestHost::new();
    let first = host.load("hooks", V1).unwrap();
    for _ in 0..3 {
        let again = host.load("hooks", V1).unwrap();
        assert_eq!((again.outcome, again.generation), (LoadOutcome::Unchanged, first.generation));
    }
    assert_eq!(host.log(), [format!("load hooks {V1}+g1")], "it started once");
    // The runtime does not look for a module that is not loaded: neither for the host nor for another module.
    assert!(matches!(host.runtime.module("hooks-b"), Err(Error::NoSuchModule { .. })));
    let asked = host.ask("hooks", "/ask?module=hooks-b&path=/").unwrap_err();
    assert!(asked.contains("no current version"), "{asked}");
}

#[test]
fn otp_23_a_modules_directory_may_disappear_and_come_back() {
    let modules = tempfile::tempdir().unwrap();
    let directory = modules.path().join("modules");
    fs::create_dir(&directory).unwrap();
    fs::copy(fixture("hooks", V1), directory.join("libhooks.so")).unwrap();
    let host = TestHost::with(|builder| builder.modules_dir(&directory));
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1));
    fs::remove_dir_all(&directory).unwrap();
    until("the loss is recorded", || {
        host.events().iter().any(|event| matches!(event, Event::WatchFailed { .. }))
    });
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V1), "a loaded module stays loaded");
    host.load("hooks-a", V1).unwrap();
    fs::create_dir(&directory).unwrap();
    fs::copy(fixture("hooks", V2), directory.join("libhooks.so")).unwrap();
    until("the file in the new directory is loaded", || host.ask("hooks", "/") == hooks_answer(V2));
}

#[test]
fn otp_24_of_two_files_of_one_module_the_later_one_is_loaded() {
    // Two files of one module in the modules directory: both are recorded, and the later one stays.
    let modules = tempfile::tempdir().unwrap();
    for (name, version) in [("libhooks-b.so", V1), ("libhooks.so", V1), ("libhooks.2.so", V2)] {
        let package = if name.starts_with("libhooks-b") { "hooks-b" } else { "hooks" };
        fs::copy(fixture(package, version), modules.path().join(name)).unwrap();
        thread::sleep(std::time::Duration::from_millis(20));
    }
    let host = TestHost::with(|builder| builder.modules_dir(modules.path()));
    host.wait_until_old_is_gone("hooks");
    assert_eq!((host.ask("hooks", "/"), host.ask("hooks-b", "/")), (hooks_answer(V2), hooks_answer(V1)));
    let of_hooks = host.events().into_iter().filter_map(|event| match event {
        Event::Loaded { module, source, .. } | Event::Superseded { module, source } if module == "hooks" => {
            Some(source)
        }
        _ => None,
    });
    let mut of_hooks: Vec<String> = of_hooks.collect();
    of_hooks.sort();
    assert_eq!(of_hooks.len(), 2, "{of_hooks:?}");
    assert!(of_hooks[0].ends_with("libhooks.2.so") && of_hooks[1].ends_with("libhooks.so"), "{of_hooks:?}");
    // Two files of one module in a set are refused: row 27.
}

#[test]
fn otp_30_a_file_cut_off_anywhere_is_refused() {
    in_child(|| {
        let host = TestHost::new();
        let complete = fs::read(fixture("hooks", V1)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hooks.so");
        // Cut off anywhere, the file is refused.
        const CUTS: usize = 96;
        for cut in 0..CUTS {
            fs::write(&file, &complete[..complete.len() * cut / CUTS]).unwrap();
            let error = host.runtime.load(&file).unwrap_err();
            assert!(
                matches!(error.code(), Code::BadElf | Code::NoMetadata | Code::BadFile),
                "{cut}: {error}"
            );
        }
        assert!(host.log().is_empty(), "none of its code ran");
        assert_eq!((host.runtime.images_mapped(), host.staged()), (0, 0));
        host.load("hooks", V1).unwrap();
        assert_eq!(host.ask("hooks", "/"), hooks_answer(V1), "the complete file is a module");
    });
}

#[test]
fn otp_30_bytes_that_are_no_module_are_refused() {
    in_child(|| {
        let host = TestHost::new();
        let complete = fs::read(fixture("hooks", V1)).unwrap();
        // Buffers of all kinds, and the file with one byte flipped in its headers and tables. They are read
        // and never run.
        let (mut refused, mut accepted) = (0, 0);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hooks.so");
        let mut offer = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            match segue::check(&file) {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
        };
        for length in [0, 1, 3, 4, 16, 63, 64, 65, 4096] {
            offer(&vec![0u8; length]);
            offer(&vec![0xffu8; length]);
            let mut magic = vec![0u8; length];
            magic.iter_mut().zip(b"\x7fELF\x02\x01\x01").for_each(|(byte, of_magic)| *byte = *of_magic);
            offer(&magic);
        }
        let tail = complete.len().saturating_sub(2048)..complete.len();
        for at in (0..1024).step_by(11).chain(tail.step_by(29)) {
            let mut flipped = complete.clone();
            flipped[at] ^= 0xff;
            offer(&flipped);
        }
        // Some bytes do not matter.
        assert!(refused > 30 && accepted > 0, "{refused} refused, {accepted} accepted");
        assert_eq!(
            refusal(host.runtime.put_image(&complete[..complete.len() / 2])),
            Code::BadElf,
            "the store refuses it too"
        );
        assert_eq!(host.runtime.images_mapped(), 0);
    });
}

#[test]
fn otp_31_a_refused_load_leaks_nothing() {
    in_child(|| {
        const TIMES: usize = 128;
        let host = TestHost::new();
        let open_files = || names_in(std::path::Path::new("/proc/self/fd")).len();
        let mappings = || fs::read_to_string("/proc/self/maps").unwrap().matches("/stage/").count();
        let load = || assert_eq!(refusal(host.load("vetoes-load", V1)), Code::OnLoadFailed);
        load();
        let (files, maps) = (open_files(), mappings());
        for _ in 0..TIMES {
            load();
        }
        assert_eq!((host.runtime.images_mapped(), host.staged(), mappings()), (0, 0, 0));
        assert!(maps == 0 && open_files() <= files + 2, "{files} files were open, and now {}", open_files());
        assert_eq!(host.refusals().len(), TIMES + 1);
        // Control: a load that succeeds is counted.
        host.load("hooks", V1).unwrap();
        assert_eq!((host.runtime.images_mapped(), host.staged()), (1, 1));
        assert!(mappings() > 0);
    });
}

#[test]
fn otp_43_the_same_file_never_has_two_instances() {
    let host = TestHost::new();
    let first = host.load("hooks", V1).unwrap();
    // By its path, by its bytes, and in a set.
    let stored = Source::Stored(first.digest);
    let again = [
        host.load("hooks", V1).unwrap(),
        host.runtime.load_with(&stored, &LoadOptions::default()).unwrap(),
        host.load_set(&["hooks"], V1).unwrap().remove(0),
    ];
    for again in again {
        assert_eq!((again.outcome, again.generation), (LoadOutcome::Unchanged, first.generation));
    }
    assert_eq!((host.logged("load"), host.logged("drop"), host.runtime.images_mapped()), (1, 0, 1));
}
