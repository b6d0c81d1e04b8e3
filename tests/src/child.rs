//! A test in a process of its own: where a mistake would end the process, or where the process as a whole is looked at.

use std::{env, process::Command};

/// Tells a child which test it is.
const CHILD: &str = "SEGUE_TESTS_CHILD";

/// Runs the body in a process of its own: this test program, started again with this one test, by its full name
/// (`lifecycle::two_versions`). The test succeeds where that process does.
///
/// # Panics
///
/// Where the child fails, with what it printed.
pub fn in_child(test: &str, body: impl FnOnce()) {
    if env::var_os(CHILD).is_some_and(|child| child == test) {
        body();
        return;
    }
    let program = env::current_exe().expect("a test knows its program");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .expect("the test program can be started again");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{test} in its own process: {}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "there is no test {test}, so nothing was run:\n{stdout}");
}
