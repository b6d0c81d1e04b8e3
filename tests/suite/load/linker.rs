//! A refusal by the dynamic linker has its own error code and the linker's text. Libraries next to a file are
//! found.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::UNIX_EPOCH,
};

use segue::{Code, Error, ErrorObject, Event, FindingKind, Loaded, Request, Runtime, Source, Step};
use segue_tests::{Command, TestHost, V1, V2, dies_in_child, fixture, in_child, only, test_of};
use tempfile::TempDir;

use crate::SEGUE;

/// Writes a copy of a fixture in which one string of the dynamic linker is replaced by another of the same
/// length.
fn patched(directory: &TempDir, package: &str, from: &str, to: &str) -> PathBuf {
    let mut bytes = fs::read(fixture(package, V2)).unwrap();
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len() + 1).position(|at| at == format!("{from}\0").as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let path = directory.path().join(format!("with-{to}.so"));
    fs::write(&path, bytes).unwrap();
    path
}

/// Loads a file that must be refused while another module serves; returns the error.
fn refused(host: &TestHost, file: &Path) -> ErrorObject {
    let error = host.runtime.load(file).map(|loaded| panic!("{loaded:?}")).unwrap_err();
    let error = ErrorObject::from(&error);
    let Event::Refused { error: recorded, .. } = host.runtime.history(None, 1).unwrap().pop().unwrap().event
    else {
        panic!("the history does not have the refusal");
    };
    assert_eq!(error, recorded, "the history has the error that the caller got");
    assert!(error.message.contains(file.to_str().unwrap()), "{error:?}");
    assert!(!error.message.contains("/stage/"), "the message does not name the private copy: {error:?}");
    assert!(error.hint.is_some(), "{error:?}");
    let answer = host.module("greeter").call(&Request::get("/ada")).unwrap();
    assert_eq!(answer.body, b"Hello, ada! This is greeter 1.0.0.\n", "the version before still serves");
    assert_eq!((host.staged(), host.runtime.images_mapped()), (1, 1));
    error
}

/// A host with the first version of `greeter`.
fn serving() -> TestHost {
    TestHost::serving("greeter").0
}

#[test]
fn each_refusal_has_its_code_and_the_linkers_text() {
    let (host, directory) = (serving(), TempDir::new().unwrap());
    let cases = [
        (
            "holder",
            "pthread_setname_np",
            "pthread_setname_xx",
            Code::MissingSymbol,
            "symbol pthread_setname_xx",
        ),
        ("greeter", "GLIBC_2.34", "GLIBC_9.99", Code::MissingVersion, "version `GLIBC_9.99' not found"),
        (
            "greeter",
            "libgcc_s.so.1",
            "libmine.so.42",
            Code::MissingLibrary,
            "libmine.so.42: cannot open shared object file: No such file or directory",
        ),
    ];
    for (package, from, to, code, text) in cases {
        let file = patched(&directory, package, from, to);
        let error = refused(&host, &file);
        assert_eq!((error.code, error.step), (code, Some(Step::Map)), "{error:?}");
        assert!(error.message.contains(text), "{error:?}");
        let findings = segue::check(&file).unwrap().findings;
        assert!(findings.iter().any(|finding| finding.subject == to), "a check reports it too: {findings:?}");
    }
    let version = refused(&host, &directory.path().join("with-GLIBC_9.99.so"));
    assert!(version.message.contains("libc.so.6 on this system does not have version"), "{version:?}");
}

#[test]
fn a_file_with_an_executable_stack_is_refused_by_a_load_and_a_check() {
    let (host, directory) = (serving(), TempDir::new().unwrap());
    let mut bytes = fs::read(fixture("greeter", V2)).unwrap();
    let is_stack = |at: &usize| bytes[*at..at + 4] == 0x6474_e551u32.to_le_bytes();
    let at = (64..64 + 20 * 56).step_by(56).find(is_stack).unwrap();
    bytes[at + 4] |= 1;
    let file = directory.path().join("module.so");
    fs::write(&file, bytes).unwrap();
    let error = refused(&host, &file);
    assert_eq!((error.code, error.step), (Code::ExecutableStack, Some(Step::Read)));
    assert!(error.hint.unwrap().contains("noexecstack"));
    assert_eq!(segue::check(&file).unwrap_err().code(), Code::ExecutableStack);
    let (exit, report) = Command::new(SEGUE).json(&["check", file.to_str().unwrap()]);
    assert_eq!((exit, &report["error"]["code"]), (Some(3), &"executable_stack".into()));
}

#[test]
fn a_state_directory_that_is_mounted_noexec_is_named() {
    const CHILD: &str = "SEGUE_TESTS_NOEXEC";
    if let Some(directory) = env::var_os(CHILD) {
        let runtime = Runtime::builder().state_dir(&directory).build().unwrap();
        let error = runtime.load(fixture("greeter", V1)).unwrap_err();
        let error = ErrorObject::from(&error);
        assert_eq!((error.code, error.step), (Code::Noexec, Some(Step::Map)), "{error:?}");
        let stage = Path::new(&directory).join("stage");
        assert!(error.message.contains(&format!("{} is on a file system mounted noexec", stage.display())));
        assert!(error.message.contains("failed to map segment from shared object"), "{error:?}");
        assert!(error.hint.unwrap().contains("--state"));
        return;
    }
    let test = test_of(&|| ());
    let directory = TempDir::new().unwrap();
    let run = |script: &str| {
        let mut command = process::Command::new("unshare");
        command.args(["-Urm", "sh", "-c", &format!("mount -t tmpfs -o noexec tmpfs \"$0\" && {script}")]);
        command.arg(directory.path()).arg(env::current_exe().unwrap());
        command.args(only(test)).env(CHILD, directory.path()).output()
    };
    if !run("true").is_ok_and(|output| output.status.success()) {
        println!("skipped: nothing can be mounted here (unshare -Urm)");
        return;
    }
    let output = run("exec \"$@\"").unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A directory with the module `helped` and, in `lib`, the library that it links.
struct Helped(TempDir);

impl Helped {
    fn new(version: &str, answer: u32) -> Self {
        let directory = Helped(TempDir::new().unwrap());
        fs::copy(fixture("helped", version), directory.module()).unwrap();
        fs::create_dir(directory.0.path().join("lib")).unwrap();
        directory.put_library(answer, &[]);
        directory
    }

    fn module(&self) -> PathBuf {
        self.0.path().join("helped.so")
    }

    fn library(&self) -> PathBuf {
        self.0.path().join("lib/libhelper.so")
    }

    /// Compiles the library, and puts it in place by a rename.
    fn put_library(&self, answer: u32, options: &[&str]) {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/helped/src/helper.c");
        let new = self.0.path().join("new.so");
        let mut compiler = process::Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", &format!("-DANSWER={answer}"), source, "-o"])
            .arg(&new)
            .args(options);
        assert!(compiler.status().unwrap().success());
        fs::rename(new, self.library()).unwrap();
    }
}

fn answer(runtime: &Runtime) -> String {
    let reply = runtime.module("helped").unwrap().call(&Request::get("/")).unwrap();
    String::from_utf8(reply.body).unwrap()
}

#[test]
fn origin_is_the_directory_of_the_original_file_even_after_a_restart() {
    let (helped, state) = (Helped::new(V1, 7), TempDir::new().unwrap());
    let start = || Runtime::builder().state_dir(state.path()).build().unwrap();
    let code = |loaded: Result<Loaded, Error>| loaded.unwrap_err().code();
    in_child(|| {
        assert_eq!(
            segue::check(&helped.module()).unwrap().findings.len(),
            1,
            "the external library, which is present"
        );
        let runtime = start();
        let digest = runtime.put_image(&fs::read(helped.module()).unwrap()).unwrap();
        let stored = runtime.load_with(&Source::Stored(digest), &Default::default());
        assert_eq!(code(stored), Code::MissingLibrary, "the directory of the file is unknown");
        runtime.load(helped.module()).unwrap();
        assert_eq!(answer(&runtime), "7");
        drop(runtime);
        // The file itself may be gone: the store has a copy, and the ledger has its directory.
        fs::remove_file(helped.module()).unwrap();
        let runtime = start();
        assert_eq!(answer(&runtime), "7");
        assert!(runtime.status("helped").unwrap().current.unwrap().source.starts_with("sha256:"));
    });
}

#[test]
fn a_library_that_is_not_next_to_the_file_is_missing() {
    let (host, helped) = (serving(), Helped::new(V1, 1));
    fs::remove_file(helped.library()).unwrap();
    let error = refused(&host, &helped.module());
    assert_eq!(error.code, Code::MissingLibrary, "{error:?}");
    assert!(error.hint.unwrap().contains("$ORIGIN"));
    let findings = segue::check(&helped.module()).unwrap().findings;
    assert!(findings.iter().any(|finding| finding.kind == FindingKind::MissingLibrary), "{findings:?}");
}

#[test]
fn a_library_that_is_older_in_memory_than_on_disk_is_reported() {
    in_child(|| {
        let (helped, host) = (Helped::new(V1, 1), TestHost::new());
        assert_eq!(host.runtime.load(helped.module()).unwrap().warnings, []);
        fs::copy(fixture("helped", V2), helped.module()).unwrap();
        assert_eq!(host.runtime.load(helped.module()).unwrap().warnings, [], "the same library");
        let same = Helped::new(V1, 1);
        assert_eq!(host.runtime.load(same.module()).unwrap().warnings, [], "the same library elsewhere");
        let other = Helped::new(V2, 3);
        let elsewhere = host.runtime.load(other.module()).unwrap().warnings.pop().unwrap().message;
        assert!(elsewhere.contains("libhelper.so: the version in memory is from"), "{elsewhere}");
        assert!(elsewhere.ends_with(other.library().to_str().unwrap()), "{elsewhere}");
        helped.put_library(2, &[]);
        fs::copy(fixture("helped", V1), helped.module()).unwrap();
        let loaded = host.runtime.load(helped.module()).unwrap();
        assert_eq!(answer(&host.runtime), "1", "the linker maps no second library of the same name");
        let [warning] = &*loaded.warnings else { panic!("{loaded:?}") };
        assert_eq!(warning.message, "libhelper.so: the version in memory is older than the file");
        assert!(warning.hint.contains("soname") && warning.hint.contains("restart"), "{warning:?}");
        let events = host.runtime.history(Some("helped"), 10).unwrap().into_iter().rev();
        let recorded = events.map(|record| record.event).find_map(|event| match event {
            Event::Loaded { warnings, .. } => Some(warnings),
            _ => None,
        });
        assert_eq!(recorded.as_deref(), Some(&*loaded.warnings));
    });
}

#[test]
fn a_library_that_was_overwritten_while_mapped_is_refused_and_a_touched_one_is_not() {
    let dead = dies_in_child(&[], |directory| {
        let (helped, other, host) = (Helped::new(V1, 1), Helped::new(V2, 22), serving());
        host.runtime.load(helped.module()).unwrap();
        fs::File::options().append(true).open(helped.library()).unwrap().set_modified(UNIX_EPOCH).unwrap();
        fs::copy(fixture("helped", V2), helped.module()).unwrap();
        assert_eq!(host.runtime.load(helped.module()).unwrap().warnings, []);
        // `fs::copy` truncates the file and writes it again, as `cp` does.
        fs::copy(other.library(), helped.library()).unwrap();
        fs::copy(fixture("helped", V1), helped.module()).unwrap();
        let error = host.runtime.load(helped.module()).unwrap_err();
        assert_eq!((error.code(), error.step()), (Code::LibraryOverwritten, Some(Step::Map)), "{error}");
        assert!(error.to_string().contains("lib/libhelper.so: the library is in memory"), "{error}");
        assert!(error.hint().unwrap().contains("renaming"));
        let answer = host.module("greeter").call(&Request::get("/ada")).unwrap();
        assert_eq!(answer.body, b"Hello, ada! This is greeter 1.0.0.\n", "the version before still serves");
        fs::write(directory.join("refused"), "").unwrap();
    });
    // The child itself may crash at its end, because its exit handlers run the broken library.
    assert!(dead.directory.path().join("refused").exists(), "{}", dead.stderr);
}

#[test]
fn a_library_with_an_executable_stack_is_refused() {
    let (host, helped) = (serving(), Helped::new(V1, 1));
    helped.put_library(1, &["-Wl,-z,execstack"]);
    let error = refused(&host, &helped.module());
    assert_eq!((error.code, error.step), (Code::ExecutableStack, Some(Step::Map)));
    assert!(error.message.contains("libhelper.so asks for an executable stack"), "{error:?}");
    let findings = segue::check(&helped.module()).unwrap().findings;
    assert!(findings.iter().any(|finding| finding.kind == FindingKind::ExecutableStack), "{findings:?}");
}
