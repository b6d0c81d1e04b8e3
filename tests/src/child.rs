//! Tests in a process of their own: because a mistake would end the process, or because the test looks at the
//! process as a whole.

use std::{
    any, env,
    path::Path,
    process::{self, Command, ExitStatus},
};

use tempfile::TempDir;

/// The variable that holds the name of the test a child is to run.
const CHILD: &str = "SEGUE_TESTS_CHILD";

/// The variable that holds a child's directory.
const DIRECTORY: &str = "SEGUE_TESTS_DIRECTORY";

/// A process that has ended.
pub struct Dead {
    /// How it ended.
    pub status: ExitStatus,
    /// Its directory.
    pub directory: TempDir,
    /// Its standard output, with the lines of the test program.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// The name of the test that contains this closure, as the test program lists it (`load::sets::m_set`).
///
/// The compiler names a closure after the function that contains it. Every caller checks that the test ran,
/// so a change of that scheme is noticed.
pub fn test_of<F>(_closure: &F) -> &'static str {
    let name = any::type_name::<F>();
    let function = name.split("::{{closure}}").next().unwrap_or(name);
    function.split_once("::").map_or(function, |(_program, test)| test)
}

/// Runs the body in a process of its own: this test program, started again with only the test that contains
/// the body. The test succeeds if that process does.
///
/// # Panics
///
/// If the child fails, with what it printed.
pub fn in_child(body: impl FnOnce()) {
    let test = test_of(&body);
    if is_child(test) {
        return body();
    }
    let output = command(test).env(CHILD, test).output().expect("the test program can be started again");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{test} in its own process: {}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "there is no test {test}, so nothing was run:\n{stdout}");
}

/// Runs the body in a process of its own, as [`in_child`] does, and returns how it ended. The body gets a
/// directory, which the test can look at afterwards.
///
/// # Panics
///
/// If the child does not run the test.
pub fn dies_in_child(environment: &[(&str, &str)], body: impl FnOnce(&Path)) -> Dead {
    let test = test_of(&body);
    dies_in_child_of(test, environment, body)
}

/// The same as [`dies_in_child`], for a body that is not in the test itself.
///
/// # Panics
///
/// If the child does not run the test.
pub fn dies_in_child_of(test: &str, environment: &[(&str, &str)], body: impl FnOnce(&Path)) -> Dead {
    if is_child(test) {
        let directory = env::var_os(DIRECTORY).expect("a child has a directory");
        body(Path::new(&directory));
        process::exit(0);
    }
    let directory = TempDir::new().expect("a temporary directory");
    let output = command(test)
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

/// The arguments with which this test program runs one test.
pub fn only(test: &str) -> [&str; 4] {
    ["--exact", test, "--nocapture", "--test-threads=1"]
}

fn command(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows its program"));
    command.args(only(test));
    command
}

fn is_child(test: &str) -> bool {
    env::var_os(CHILD).is_some_and(|child| child == test)
}
