//! The history of a bad release and its rollback, as an operator reads it.

use segue_tests::{Service, V1, V2, fixture_str, until};

use crate::SEGUE;

/// The line that contains this text, with the indented lines below it.
fn entry_with(text: &str, what: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.contains(what));
    let first = lines.next().unwrap_or_else(|| panic!("no entry has {what:?}:\n{text}"));
    let rest = lines.take_while(|line| line.starts_with("      "));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bad_release_and_its_rollback_are_in_the_history() {
    let service = Service::start(SEGUE, &[]);
    let uid = service.uid();
    let digest = |version: &str| {
        let (_, report) = service.command.json(&["check", &fixture_str("sleeper", version)]);
        report["digest"].as_str().unwrap()[.."sha256:".len() + 12].to_owned()
    };
    let (good, bad) = (digest(V1), digest(V2));
    let load_bad = ["load", &fixture_str("sleeper", V2), "--trial", "10m"];
    let first = service.command.run(["load", &fixture_str("sleeper", V1)]).pid;
    let second = service.command.run(load_bad).pid;
    let back = service.command.run(["rollback", "sleeper"]);
    assert!(back.stdout.contains("it was still in memory"), "{back:?}");
    until("the bad version is unloaded", || service.status("sleeper").unwrap()["old"].is_null());
    // A second attempt ends the process.
    service.command.run(load_bad);
    let service = service.kill_and_start_again();
    service.command.run(["stick", "sleeper"]);
    assert_eq!(service.command.run(load_bad).code, Some(3));

    let history = service.command.run(["history"]).stdout;
    let entry = entry_with(&history, "sleeper: 1.0.0+g1 is current; ");
    assert!(entry.contains(&format!("; file {good} from {}; took ", fixture_str("sleeper", V1))), "{entry}");
    assert!(entry.contains(&format!("[by uid {uid}, pid {first}]")), "{entry}");
    let entry = entry_with(&history, "1.1.0+g2 is current, on trial for 10m 00s; 1.0.0+g1 is old; ");
    assert!(entry.contains(&bad) && entry.contains(&format!("pid {second}]")), "{entry}");
    assert!(
        entry.contains("next: `segue confirm sleeper`") && entry.contains("`segue rollback sleeper`"),
        "{entry}"
    );
    let entry = entry_with(&history, "rolled back to 1.0.0+g1; 1.1.0+g2 is old; ");
    assert!(entry.contains(&good) && entry.contains(&format!("[by uid {uid}, pid {}]", back.pid)), "{entry}");
    // The rollback confirmed the version, and the restart did not confirm it again.
    assert!(entry.ends_with("  <== a restart returns to it"), "{entry}");
    entry_with(&history, "sleeper: 1.1.0+g2 is unloaded: ");
    let entry = entry_with(&history, "sleeper: the restart did not return to 1.1.0; ");
    assert!(entry.contains(&bad) && entry.contains("[by the runtime: a restart]"), "{entry}");
    assert!(
        entry.contains("why:  it was on trial and was not confirmed") && entry.contains("next: "),
        "{entry}"
    );
    let entry = entry_with(&history, "1.0.0+g4 is current again after the restart; ");
    assert!(entry.ends_with("  <== current now"), "{entry}");
    entry_with(&history, "sleeper: sticky now");
    let entry = entry_with(&history, "at step read (sticky); nothing changed");
    assert!(entry.contains("why:  sleeper is sticky") && entry.contains("next: `segue unstick"), "{entry}");
    let last = history.lines().last().unwrap();
    assert_eq!(last, format!("now: sleeper: 1.0.0+g4 ({good}) is current; a restart returns to it"));

    // `segue events` prints the same entries from the first on, in order, with numbers and times.
    let events = service.command.run(["events"]).stdout;
    let numbers = events.lines().filter_map(|line| line.split_once("  #")).map(|(at, rest)| {
        assert!(at.ends_with('Z') && at.starts_with("20"), "{at}");
        rest.split(' ').next().unwrap().parse::<usize>().unwrap()
    });
    let numbers: Vec<usize> = numbers.collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    assert_eq!(events.matches("runtime 0.").count(), 2, "the service started twice: {events}");
    entry_with(&events, "rolled back to 1.0.0+g1");
}

#[test]
fn a_release_that_crashes_the_process_is_in_the_history_with_the_function_and_a_hint() {
    let service = Service::start(SEGUE, &[]);
    service.command.run(["load", &fixture_str("crasher", V1)]);
    service.command.run(["load", &fixture_str("crasher", V2), "--trial", "10m"]);
    // The process ends before it can answer.
    let address = service.address;
    let caller = std::thread::spawn(move || {
        let _ = std::net::TcpStream::connect(address).and_then(|mut stream| {
            std::io::Write::write_all(&mut stream, b"GET /crasher/?do=null HTTP/1.1\r\nhost: x\r\n\r\n")?;
            std::io::Read::read(&mut stream, &mut [0; 64])
        });
    });
    let (_, _, home) = service.wait();
    caller.join().unwrap();
    let service = Service::start_in(SEGUE, home, "127.0.0.1:0", &[]);
    service.wait_for_version("crasher", V1);

    let history = service.command.run(["history", "crasher"]).stdout;
    let entry =
        entry_with(&history, "the previous process ended by SIGSEGV, in the code of crasher 1.1.0+g2");
    assert!(entry.contains("why:  it happened in ") && entry.contains("write_at_null"), "{entry}");
    assert!(entry.contains("next: `segue blocked`"), "{entry}");
    let entry = entry_with(&history, "crasher: 1.1.0 is blocked: no load accepts it; file sha256:");
    assert!(entry.contains("while it was on trial") && entry.contains("next: "), "{entry}");
    assert!(history.trim_end().ends_with("is current; a restart returns to it"), "{history}");

    let (_, blocked) = service.command.json(&["blocked"]);
    let digest = blocked[0]["digest"].as_str().unwrap();
    let entry = entry_with(&history, "is blocked: no load accepts it");
    assert!(entry.contains(&format!("`segue unblock {digest}`")), "{entry}");
    let refused = service.command.run(["load", &fixture_str("crasher", V2)]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("is blocked: it ended the process with SIGSEGV"), "{refused:?}");
    let unblocked = service.command.run(["unblock", digest]);
    assert!(unblocked.stdout.contains("is unblocked: it may be loaded"), "{unblocked:?}");
    let again = service.command.run(["unblock", digest]);
    assert_eq!(again.code, Some(0));
    assert!(again.stdout.contains("nothing changed"), "{again:?}");
    assert!(service.command.run(["blocked"]).stdout.contains("no file is blocked"));
}
