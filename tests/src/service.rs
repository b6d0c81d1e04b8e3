//! The command as a process: run to its end, or as a service.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{self, Child, ExitStatus, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{http, within};

/// The program under test; a test passes `env!("CARGO_BIN_EXE_segue-under-test")`.
#[derive(Clone, Debug)]
pub struct Command {
    program: PathBuf,
    control: Option<PathBuf>,
}

/// A running `segue serve` with its own directories.
pub struct Service {
    /// The command, set to control this service.
    pub command: Command,
    /// The address it serves HTTP at.
    pub address: SocketAddr,
    /// The directory of all its files: `modules/`, `state/`, `segue.sock`.
    pub home: TempDir,
    child: Child,
    log: Option<JoinHandle<String>>,
}

/// The events of a service as they happen, each with its time of arrival. Dropping it ends the command.
pub struct Follower {
    /// The events.
    pub events: mpsc::Receiver<(Instant, Value)>,
    child: Child,
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub struct Output {
    /// The process id.
    pub pid: u32,
    /// The exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

// === impl Command ===

impl Command {
    /// The program, set to control no service.
    pub fn new(program: &str) -> Self {
        Command { program: program.into(), control: None }
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let mut process = self.process();
        process.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = process.spawn().expect("the command starts");
        let pid = child.id();
        let output = child.wait_with_output().expect("the command can be waited for");
        Output {
            pid,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the command with `--json`; returns its exit code and what it printed.
    ///
    /// # Panics
    ///
    /// If it does not print JSON.
    pub fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(arguments.iter().copied().chain(["--json"]));
        match serde_json::from_str(&output.stdout) {
            Ok(value) => (output.code, value),
            Err(error) => panic!("{arguments:?} --json: {error}\n{output:?}"),
        }
    }

    /// The same as [`Command::json`], for a command that prints an object a line.
    ///
    /// # Panics
    ///
    /// If a line is not JSON.
    pub fn json_lines(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
        let output = self.run(arguments.iter().copied().chain(["--json"]));
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?} --json: {error}\n{line}"))
        };
        (output.code, output.stdout.lines().map(read).collect())
    }

    fn process(&self) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.env_remove("SEGUE_CONTROL").env_remove("RUST_LOG");
        if let Some(control) = &self.control {
            process.env("SEGUE_CONTROL", control);
        }
        process
    }
}

// === impl Service ===

impl Service {
    /// Starts a service with an empty modules directory and extra arguments.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(program: &str, extra: &[&str]) -> Self {
        Service::start_in(program, TempDir::new().expect("a temporary directory"), "127.0.0.1:0", extra)
    }

    /// Starts a service in a directory that was used before, at this address.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_in(program: &str, home: TempDir, listen: &str, extra: &[&str]) -> Self {
        Service::spawn(program, home, listen, extra, Stdio::piped())
    }

    /// Starts a service whose log goes to this file or pipe.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_with_log(program: &str, log: Stdio) -> Self {
        Service::spawn(program, TempDir::new().expect("a temporary directory"), "127.0.0.1:0", &[], log)
    }

    fn spawn(program: &str, home: TempDir, listen: &str, extra: &[&str], stderr: Stdio) -> Self {
        let modules = home.path().join("modules");
        std::fs::create_dir_all(&modules).expect("a directory can be made");
        let control = home.path().join("segue.sock");
        let command = Command { program: program.into(), control: Some(control.clone()) };
        let mut child = command
            .process()
            .args(["serve", "--json", "--listen", listen])
            .arg("--modules")
            .arg(&modules)
            .arg("--state")
            .arg(home.path().join("state"))
            .arg("--control")
            .arg(&control)
            .args(extra)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the service starts");
        let stderr = child.stderr.take();
        let log = thread::spawn(move || {
            let mut log = String::new();
            if let Some(mut stderr) = stderr {
                // Ignore a log that is not text: if nobody read the pipe, the service would block.
                let _ = stderr.read_to_string(&mut log);
            }
            log
        });
        let mut ready = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("the output is piped"));
        stdout.read_line(&mut ready).expect("the service prints a line when it is ready");
        let Ok(ready) = serde_json::from_str::<Value>(&ready) else {
            let status = child.wait();
            panic!("the service did not start: {ready:?} {status:?}\n{}", log.join().unwrap_or_default());
        };
        let address = ready["listening"].as_str().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {ready}"));
        Service { command, address, home, child, log: Some(log) }
    }

    /// Puts a file into the modules directory under this name, in the safe way: a copy, then a rename.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn drop_in(&self, file: &Path, name: &str) {
        let modules = self.home.path().join("modules");
        let partial = modules.join(format!(".{name}.partial"));
        std::fs::copy(file, &partial).expect("the file can be copied");
        std::fs::rename(&partial, modules.join(name)).expect("the copy can be renamed");
    }

    /// Follows the events from now on, with `segue events --follow`.
    ///
    /// # Panics
    ///
    /// If the command does not start.
    pub fn follow(&self) -> Follower {
        let mut child = self
            .command
            .process()
            .args(["events", "--follow", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let stdout = BufReader::new(child.stdout.take().expect("the output is piped"));
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).expect("an event is a line of JSON");
                if sender.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Follower { events, child }
    }

    /// What `segue status MODULE --json` prints; `None` if there is no such module.
    pub fn status(&self, module: &str) -> Option<Value> {
        let (code, status) = self.command.json(&["status", module]);
        (code == Some(0)).then_some(status)
    }

    /// Waits until this version of a module is current.
    ///
    /// # Panics
    ///
    /// If it does not become current.
    pub fn wait_for_version(&self, module: &str, version: &str) -> Value {
        within(&format!("{module} {version} is current"), || {
            self.status(module).filter(|status| status["current"]["version"] == version)
        })
    }

    /// What clients get for a path: status and text.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub fn get(&self, target: &str) -> (u16, String) {
        let answer = http::get(self.address, target);
        (answer.status, answer.text().to_owned())
    }

    /// The user that runs the tests, and so the one whose commands the service gets.
    ///
    /// # Panics
    ///
    /// If the home directory is gone.
    pub fn uid(&self) -> u32 {
        self.home.path().metadata().expect("the home directory is there").uid()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, as `kill` does: `TERM`.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub fn signal(&self, signal: &str) {
        let status = process::Command::new("kill")
            .args(["-s", signal, &self.child.id().to_string()])
            .status()
            .expect("kill can be started");
        assert!(status.success(), "kill -s {signal}: {status}");
    }

    /// Waits until the service has ended; returns its status, its log and its directory.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn wait(mut self) -> (ExitStatus, String, TempDir) {
        let status = within("the service has ended", || self.child.try_wait().expect("it can be waited for"));
        let log = self.log.take().and_then(|log| log.join().ok()).unwrap_or_default();
        let home = std::mem::replace(&mut self.home, TempDir::new().expect("a temporary directory"));
        (status, log, home)
    }

    /// Kills the service, and starts another on the same directories.
    ///
    /// # Panics
    ///
    /// If the other does not start.
    #[must_use]
    pub fn kill_and_start_again(self) -> Self {
        self.signal("KILL");
        let program = self.command.program.to_string_lossy().into_owned();
        let (_, _, home) = self.wait();
        Service::start_in(&program, home, "127.0.0.1:0", &[])
    }

    /// Ends the service with SIGTERM, as a service manager does; returns its log and its directory.
    ///
    /// # Panics
    ///
    /// If it does not exit with 0.
    pub fn stop(self) -> (String, TempDir) {
        self.signal("TERM");
        let (status, log, home) = self.wait();
        assert_eq!(status.code(), Some(0), "SIGTERM must end the service with exit code 0:\n{log}");
        (log, home)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It would follow forever.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A failed test must leave no process. Killing one that has ended fails, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
