//! A log that cannot be written costs the service nothing.

use std::{fs::File, io, process::Stdio};

use segue_tests::{Service, V1, V2, fixture};

use crate::SEGUE;

/// More than there are threads that call modules: each would end if a log line could end it.
const REQUESTS: usize = 64;

/// Releases, serves and stops, with a module that logs in each call.
fn assert_unaffected(log: Stdio) {
    let service = Service::start_with_log(SEGUE, log);
    service.drop_in(&fixture("logs", V1), "liblogs.so");
    service.wait_for_version("logs", V1);
    for _ in 0..REQUESTS {
        assert_eq!(service.get("/logs/here").0, 200);
    }
    let (code, loaded) = service.command.json(&["load", &fixture("logs", V2).display().to_string()]);
    assert_eq!(code, Some(0), "{loaded}");
    let (code, rolled_back) = service.command.json(&["rollback", "logs"]);
    assert_eq!(code, Some(0), "{rolled_back}");
    let (code, purged) = service.command.json(&["purge", "logs"]);
    assert_eq!(code, Some(0), "{purged}");
    for _ in 0..REQUESTS {
        assert_eq!(service.get("/logs/here").0, 200);
    }
    service.stop();
}

#[test]
fn a_log_whose_reader_is_gone_costs_nothing() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    assert_unaffected(Stdio::from(writer));
}

#[test]
fn a_log_on_a_full_disk_costs_nothing() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_unaffected(Stdio::from(full));
}
