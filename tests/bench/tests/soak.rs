//! The soak notices what it counts: a clean run succeeds, and a run in which each version leaves something
//! behind fails and names it.

use std::process::{Command, Output};

fn soak(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_segue-bench");
    // RUST_BACKTRACE would make each version that panics read its debug information, which takes 45 MB.
    Command::new(program)
        .arg("soak")
        .args(args)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the program starts")
}

fn assert_notices(spoil: &str, reloads: &str, message: &str) {
    let output = soak(&["--reloads", reloads, "--spoil", spoil]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
}

#[test]
fn a_clean_run_succeeds() {
    let output = soak(&["--reloads", "100", "--json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let figures = String::from_utf8_lossy(&output.stdout);
    for figure in ["mapped", "fds", "mappings", "keys", "rss_per_reload", "leaked", "destructors"] {
        assert!(figures.contains(&format!("\"soak.{figure}\"")), "{figures}");
    }
}

#[test]
fn an_image_that_stays_is_noticed() {
    // After a few of them, loads are refused.
    assert_notices("image", "3", "2 images are still mapped");
}

#[test]
fn a_file_that_stays_open_is_noticed() {
    assert_notices("file", "20", "18 files were opened and not closed");
}

#[test]
fn a_pthread_key_that_is_not_deleted_is_noticed() {
    assert_notices("key", "20", "18 pthread keys were not deleted");
}

#[test]
fn a_mapping_that_stays_is_noticed() {
    assert_notices("mapping", "100", "mappings were not unmapped");
}

#[test]
fn memory_that_is_not_freed_is_noticed() {
    assert_notices("memory", "100", "bytes of memory were not freed");
}

#[test]
fn a_signal_handler_installed_without_the_sdk_is_noticed() {
    assert_notices("signal", "3", "versions were reported as purged");
}

#[test]
fn a_cpp_destructor_that_libc_keeps_is_noticed() {
    assert_notices("cpp", "3", "versions were reported as purged");
}

#[test]
fn a_thread_that_never_ends_is_noticed() {
    assert_notices(
        "thread",
        "3",
        "timed out after 0.2 s waiting for all calls and the threads of all modules to end",
    );
}

#[test]
fn a_destructor_that_did_not_run_is_noticed() {
    assert_notices("destructor", "20", "were destroyed and 0 dropped");
}
