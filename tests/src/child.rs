//! A test in a process of its own: where a mistake would end the process, or where the process as a whole is
//! looked at.

use std::{
    env,
    path::Path,
    process::{self, Command, ExitStatus},
};

use tempfile::TempDir;

/// Tells a child which test it is.
const CHILD: &str = "SEGUE_TESTS_CHILD";

/// Runs the body in a process of its own: this test program, started again with this one test, by its full
/// name (`lifecycle::two_versions`). The test succeeds where that process does.
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

/// A process that has ended as it was to.
pub struct Dead {
    /// How.
    pub status: ExitStatus,
    /// The directory that it had.
    pub directory: TempDir,
    /// What it wrote to its standard output, with what the test program wrote.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// Tells a child where its directory is.
const DIRECTORY: &str = "SEGUE_TESTS_DIRECTORY";

/// Runs the body in a process of its own, as [`in_child`] does, which the body is to end. It is given a
/// directory that the test has afterwards; and these variables are in its environment.
///
/// # Panics
///
/// Where there is no such test.
pub fn dies_in_child(test: &str, environment: &[(&str, &str)], body: impl FnOnce(&Path)) -> Dead {
    if env::var_os(CHILD).is_some_and(|child| child == test) {
        let directory = env::var_os(DIRECTORY).expect("a child is told its directory");
        body(Path::new(&directory));
        process::exit(0);
    }
    let program = env::current_exe().expect("a test knows its program");
    let directory = TempDir::new().expect("a temporary directory");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .env(DIRECTORY, directory.path())
        .envs(environment.iter().copied())
        .current_dir(&directory)
        .output()
        .expect("the test program can be started again");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("running 1 test"), "there is no test {test}, so nothing was run:\n{stdout}");
    let (stdout, stderr) = (stdout.into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    Dead { status: output.status, directory, stdout, stderr }
}
