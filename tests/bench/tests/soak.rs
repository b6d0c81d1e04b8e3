//! What the soak counts, it notices: a run in which nothing is left succeeds, and one in which each version leaves something
//! fails, and says what.

use std::process::{Command, Output};

fn soak(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_segue-bench");
    // With it, each version that panics reads its debug information, which takes 45 MB.
    Command::new(program)
        .arg("soak")
        .args(args)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the program can be started")
}

fn notices(spoil: &str, reloads: &str, words: &str) {
    let output = soak(&["--reloads", reloads, "--spoil", spoil]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(words), "{told}");
}

#[test]
fn a_run_in_which_nothing_is_left_succeeds() {
    let output = soak(&["--reloads", "100", "--json"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let figures = String::from_utf8_lossy(&output.stdout);
    for figure in ["mapped", "fds", "mappings", "keys", "rss_per_reload", "leaked", "destructors"] {
        assert!(figures.contains(&format!("\"soak.{figure}\"")), "{figures}");
    }
}

#[test]
fn an_image_that_stays_is_noticed() {
    // With more than a few, loads are refused.
    notices("image", "3", "2 images are still mapped");
}

#[test]
fn a_file_that_stays_open_is_noticed() {
    notices("file", "20", "18 files were opened and not closed");
}

#[test]
fn a_key_that_is_not_given_back_is_noticed() {
    notices("key", "20", "18 pthread keys were not given back");
}

#[test]
fn a_mapping_that_stays_is_noticed() {
    notices("mapping", "100", "mappings were not taken back");
}

#[test]
fn memory_that_stays_is_noticed() {
    notices("memory", "100", "bytes of memory were not given back");
}

#[test]
fn a_signal_handler_past_the_sdk_is_noticed() {
    notices("signal", "3", "versions were told as purged");
}

#[test]
fn a_destructor_of_cpp_that_libc_keeps_is_noticed() {
    notices("cpp", "3", "versions were told as purged");
}

#[test]
fn a_thread_that_works_for_ever_is_noticed() {
    notices(
        "thread",
        "3",
        "timed out after 0.2 s waiting for all calls and the threads of all modules to end",
    );
}

#[test]
fn a_destructor_that_did_not_run_is_noticed() {
    notices("destructor", "20", "were destroyed and 0 dropped");
}
