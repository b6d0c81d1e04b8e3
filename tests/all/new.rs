//! What `segue new` writes builds, passes its own test, and can be dropped in as it is.

use std::{env, process};

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
    for task in [&["test"][..], &["build"]] {
        let cargo = process::Command::new(env!("CARGO"))
            .args(task)
            .arg("--release")
            .current_dir(&module)
            .env("CARGO_TARGET_DIR", target.join("segue-new"))
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        assert!(cargo.status.success(), "{task:?}: {}", String::from_utf8_lossy(&cargo.stderr));
    }
    let file = target.join("segue-new/release/libmy_module.so");
    let service = Service::start(SEGUE, &[]);
    service.drop_in(&file, "libmy_module.so");
    service.wait_for_version("my-module", "0.1.0");
    let answer = http::get(service.address, "/my-module/ada");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-segue-module"), Some("my-module"));
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
