//! What `segue new` writes builds, passes its own test, and can be dropped in as it is.

use std::{env, fs, process};

use segue_tests::{Service, http};
use tempfile::TempDir;

use crate::SEGUE;

#[test]
fn a_new_module_builds_passes_its_test_and_serves() {
    let home = TempDir::new().unwrap();
    let output =
        process::Command::new(SEGUE).args(["new", "my-module"]).current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let module = home.path().join("my-module");

    // Beside the modules that the other tests are made of: what they depend on is built once.
    let target = env::current_exe()
        .unwrap()
        .ancestors()
        .find(|path| path.join("CACHEDIR.TAG").is_file())
        .unwrap()
        .to_owned();
    let cargo = |task: &[&str], segue: &str| {
        let cargo = process::Command::new(env!("CARGO"))
            .args(task)
            .current_dir(&module)
            .env("CARGO_TARGET_DIR", target.join("segue-new"))
            .env("SEGUE", segue)
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (cargo.status.success(), text(&cargo.stdout) + &text(&cargo.stderr))
    };
    let (passed, said) = cargo(&["test", "--release", "--", "--nocapture"], SEGUE);
    assert!(passed && said.contains("it_unloads ... ok"), "{said}");
    assert!(said.contains("my-module 0.1.0: left memory each time, and nothing stayed"), "{said}");
    assert!(cargo(&["build", "--release"], SEGUE).0);
    let file = target.join("segue-new/release/libmy_module.so");
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&file, "libmy_module.so");
    service.wait_for_version("my-module", "0.1.0");
    let answer = http::get(service.address, "/my-module/ada");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-segue-module"), Some("my-module"));

    // The control: a version that leaves a file open fails its test, which names the file; and so does a test
    // without a command.
    let source = module.join("src/lib.rs");
    let clean = fs::read_to_string(&source).unwrap();
    let leaves = "std::mem::forget(std::fs::File::open(\"/dev/null\")?);\n        let name = match";
    fs::write(&source, clean.replacen("let name = match", leaves, 1)).unwrap();
    let (passed, said) = cargo(&["test", "--release", "it_unloads"], SEGUE);
    assert!(!passed && said.contains("stays: descriptor:") && said.contains("/dev/null"), "{said}");
    let (passed, said) = cargo(&["test", "--release", "it_unloads"], "/nowhere/segue");
    assert!(!passed && said.contains("/nowhere/segue cannot be started"), "{said}");
}

#[test]
fn a_directory_that_is_there_and_a_name_that_is_none_are_refused() {
    let home = TempDir::new().unwrap();
    std::fs::create_dir(home.path().join("taken")).unwrap();
    for name in ["taken", "../escape", "", "fn", "no spaces"] {
        let output =
            process::Command::new(SEGUE).args(["new", name]).current_dir(home.path()).output().unwrap();
        assert!(matches!(output.status.code(), Some(2 | 3)), "{name:?}: {output:?}");
    }
    assert_eq!(segue_tests::names_in(home.path()), ["taken"], "nothing was written");
}
