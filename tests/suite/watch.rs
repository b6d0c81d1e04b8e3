//! A file that appears in the modules directory is loaded, however it is written.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use segue::{Event, Request};
use segue_tests::{TestHost, V1, V2, fixture, until};
use tempfile::TempDir;

/// A host that watches a modules directory.
struct Watched {
    host: TestHost,
    modules: PathBuf,
    _home: TempDir,
}

impl Watched {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let modules = home.path().join("modules");
        fs::create_dir(&modules).unwrap();
        Watched::in_home(home, modules)
    }

    fn in_home(home: TempDir, modules: PathBuf) -> Self {
        let host = TestHost::with(|builder| builder.modules_dir(&modules));
        Watched { host, modules, _home: home }
    }

    fn wait_for(&self, version: &str) {
        until(&format!("{version} is current"), || {
            self.host.runtime.status("greeter").is_ok_and(|status| status.current.unwrap().version == version)
        });
        let answer = self.host.module("greeter").call(&Request::get("/ada")).unwrap();
        assert_eq!(
            String::from_utf8(answer.body).unwrap(),
            format!("Hello, ada! This is greeter {version}.\n")
        );
    }

    fn count(&self, matches: impl Fn(&Event) -> bool) -> usize {
        self.host.events().iter().filter(|event| matches(event)).count()
    }
}

/// Writes into an existing file, as `cp` does.
fn overwrite(from: &Path, to: &Path) {
    let mut bytes = Vec::new();
    File::open(from).unwrap().read_to_end(&mut bytes).unwrap();
    File::create(to).unwrap().write_all(&bytes).unwrap();
}

#[test]
fn a_file_is_loaded_after_a_rename_a_copy_a_link_or_an_overwrite() {
    let watched = Watched::new();
    let file = watched.modules.join("libgreeter.so");
    let partial = watched.modules.join(".libgreeter.so.partial");

    fs::copy(fixture("greeter", V1), &partial).unwrap();
    fs::rename(&partial, &file).unwrap();
    watched.wait_for(V1);

    overwrite(&fixture("greeter", V2), &file);
    watched.wait_for(V2);

    fs::copy(fixture("greeter", V1), watched.modules.join("libgreeter-old.so")).unwrap();
    watched.wait_for(V1);

    fs::hard_link(fixture("greeter", V2), &partial).unwrap();
    fs::rename(&partial, &file).unwrap();
    watched.wait_for(V2);
    until("one image is left", || watched.host.runtime.images_mapped() == 1);
    assert_eq!(watched.count(|event| matches!(event, Event::Refused { .. })), 0);
}

#[test]
fn an_identical_file_is_unchanged() {
    let watched = Watched::new();
    let file = watched.modules.join("libgreeter.so");
    overwrite(&fixture("greeter", V1), &file);
    watched.wait_for(V1);
    overwrite(&fixture("greeter", V1), &file);
    until("the file was read", || watched.count(|event| matches!(event, Event::Unchanged { .. })) == 1);
    assert_eq!(watched.count(|event| matches!(event, Event::Loaded { .. })), 1);
}

#[test]
fn a_file_that_is_written_slowly_is_loaded_when_it_is_complete() {
    let watched = Watched::new();
    let bytes = fs::read(fixture("greeter", V1)).unwrap();
    let mut file = File::create(watched.modules.join("libgreeter.so")).unwrap();
    let mut longest_pause = Duration::ZERO;
    for piece in bytes.chunks(bytes.len() / 12 + 1) {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        let written = Instant::now();
        thread::sleep(Duration::from_millis(50));
        longest_pause = longest_pause.max(written.elapsed());
    }
    drop(file);
    watched.wait_for(V1);
    // If the machine stalled meanwhile, the file seemed settled and was refused once before it was loaded.
    if longest_pause < Duration::from_millis(200) {
        let refused = watched.count(|event| matches!(event, Event::Refused { .. }));
        assert_eq!(refused, 0, "it was not read while half written");
    }
}

#[test]
fn files_in_the_directory_are_loaded_at_the_start() {
    let home = TempDir::new().unwrap();
    let modules = home.path().join("modules");
    fs::create_dir(&modules).unwrap();
    overwrite(&fixture("greeter", V2), &modules.join("libgreeter.so"));
    overwrite(&fixture("no-metadata", V1), &modules.join("libnothing.so"));
    fs::write(modules.join("notes.txt"), "no module").unwrap();
    let watched = Watched::in_home(home, modules);
    assert_eq!(watched.host.runtime.status("greeter").unwrap().current.unwrap().version, V2);
    assert_eq!(watched.count(|event| matches!(event, Event::Refused { .. })), 1, "the bad file is recorded");
}

#[test]
fn a_refused_file_is_recorded_once_and_the_next_one_is_loaded() {
    let watched = Watched::new();
    let file = watched.modules.join("libgreeter.so");
    overwrite(&fixture("greeter", V1), &file);
    watched.wait_for(V1);
    fs::write(&file, b"not a module").unwrap();
    until("the file was refused", || watched.count(|event| matches!(event, Event::Refused { .. })) == 1);
    watched.wait_for(V1);
    overwrite(&fixture("greeter", V2), &file);
    watched.wait_for(V2);
    assert_eq!(watched.count(|event| matches!(event, Event::Refused { .. })), 1);
}

#[test]
fn the_directory_may_disappear_and_come_back() {
    let watched = Watched::new();
    overwrite(&fixture("greeter", V1), &watched.modules.join("libgreeter.so"));
    watched.wait_for(V1);
    fs::remove_dir_all(&watched.modules).unwrap();
    until("the loss is recorded", || watched.count(|event| matches!(event, Event::WatchFailed { .. })) == 1);
    watched.wait_for(V1);
    fs::create_dir(&watched.modules).unwrap();
    overwrite(&fixture("greeter", V2), &watched.modules.join("libgreeter.so"));
    watched.wait_for(V2);
}

#[test]
fn a_waiting_file_is_superseded_by_a_later_one() {
    let watched = Watched::new();
    let drop_in = |version, name: &str| overwrite(&fixture("greeter", version), &watched.modules.join(name));
    drop_in(V1, "libgreeter-1.so");
    watched.wait_for(V1);
    let greeter = watched.host.module("greeter");
    let inside = greeter.enter().unwrap();
    drop_in(V2, "libgreeter-2.so");
    watched.wait_for(V2);
    // Old is in use, so the next two files wait, and only the later one is loaded.
    drop_in(V1, "libgreeter-3.so");
    thread::sleep(Duration::from_millis(600));
    assert_eq!(watched.host.runtime.images_mapped(), 2, "a waiting file is not mapped");
    fs::copy(fixture("greeter", V1), watched.modules.join("libgreeter-4.so")).unwrap();
    until("the earlier file is recorded as superseded", || {
        watched.count(|event| matches!(event, Event::Superseded { .. })) == 1
    });
    drop(inside);
    watched.wait_for(V1);
    let loaded = watched.host.runtime.status("greeter").unwrap().current.unwrap();
    assert!(loaded.source.ends_with("libgreeter-4.so"), "{}", loaded.source);
}
