//! `segue new`: the module that it writes builds, passes its own test, and can be loaded.

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

    // In the same target directory as the fixtures, so dependencies are built once.
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
    let (passed, output) = cargo(&["test", "--release", "--", "--nocapture"], SEGUE);
    assert!(passed && output.contains("it_unloads ... ok"), "{output}");
    assert!(output.contains("my-module 0.1.0: every version was unloaded, and nothing stayed"), "{output}");
    assert!(cargo(&["build", "--release"], SEGUE).0);
    let file = target.join("segue-new/release/libmy_module.so");
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&file, "libmy_module.so");
    service.wait_for_version("my-module", "0.1.0");
    let answer = http::get(service.address, "/my-module/ada");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-segue-module"), Some("my-module"));

    // Control: if the module leaves a file open, its test fails and names the file. Without the command
    // `segue`, it fails too.
    let source = module.join("src/lib.rs");
    let clean = fs::read_to_string(&source).unwrap();
    let leaves = "std::mem::forget(std::fs::File::open(\"/dev/null\")?);\n        let name = match";
    fs::write(&source, clean.replacen("let name = match", leaves, 1)).unwrap();
    let (passed, output) = cargo(&["test", "--release", "it_unloads"], SEGUE);
    assert!(!passed && output.contains("stays: descriptor:") && output.contains("/dev/null"), "{output}");
    let (passed, output) = cargo(&["test", "--release", "it_unloads"], "/nowhere/segue");
    assert!(!passed && output.contains("/nowhere/segue cannot be started"), "{output}");
}

#[test]
fn an_existing_directory_and_an_invalid_name_are_refused() {
    let home = TempDir::new().unwrap();
    std::fs::create_dir(home.path().join("taken")).unwrap();
    for name in ["taken", "../escape", "", "fn", "no spaces"] {
        let output =
            process::Command::new(SEGUE).args(["new", name]).current_dir(home.path()).output().unwrap();
        assert!(matches!(output.status.code(), Some(2 | 3)), "{name:?}: {output:?}");
    }
    assert_eq!(segue_tests::names_in(home.path()), ["taken"], "nothing was written");
}
