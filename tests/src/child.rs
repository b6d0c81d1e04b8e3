//! A test in a process of its own: where a mistake would end the process, or where the process as a whole is looked at.

use std::{
    env,
    os::unix::process::ExitStatusExt,
    process::{Command, Output},
};

/// Tells a child which test it is.
const CHILD: &str = "SEGUE_TESTS_CHILD";

/// Runs the body in a process of its own: this test program, started again with this one test, by its full name
/// (`lifecycle::two_versions`). The test succeeds where that process does.
///
/// # Panics
///
/// Where the child fails, with what it printed.
pub fn in_child(test: &str, body: impl FnOnce()) {
    let Some(output) = run_in_child(test, body) else { return };
    let told = told(&output);
    assert!(output.status.success(), "{test} in its own process: {}\n{told}", output.status);
    assert!(told.contains("1 passed"), "there is no test {test}, so nothing was run:\n{told}");
}

/// As [`in_child`], of something that must not be: the test succeeds where this signal ends that process. It shows that a test
/// beside it, in which the process lives on, looks at the right thing.
///
/// # Panics
///
/// Where the child ends otherwise, with what it printed.
pub fn killed_in_child(test: &str, signal: i32, body: impl FnOnce()) {
    let Some(output) = run_in_child(test, body) else { return };
    let told = told(&output);
    assert_eq!(output.status.signal(), Some(signal), "{test} in its own process: {}\n{told}", output.status);
}

/// None in the child, which has run the body.
fn run_in_child(test: &str, body: impl FnOnce()) -> Option<Output> {
    if env::var_os(CHILD).is_some_and(|child| child == test) {
        body();
        return None;
    }
    let program = env::current_exe().expect("a test knows its program");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .expect("the test program can be started again");
    Some(output)
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}
