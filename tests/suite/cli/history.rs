//! The story of a bad release and of its undoing, as somebody reads it who was woken by it.

use segue_tests::{Service, V1, V2, fixture_str, until};

use crate::SEGUE;

/// The line that has this, with those that are set off below it.
fn passage(text: &str, what: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.contains(what));
    let first = lines.next().unwrap_or_else(|| panic!("{what:?} is not told in\n{text}"));
    let rest = lines.take_while(|line| line.starts_with("      "));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bad_release_and_its_undoing_are_told() {
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
    assert!(back.stdout.contains("it was in memory still"), "{back:?}");
    until("the bad one has left", || service.status("sleeper").unwrap()["old"].is_null());
    // Somebody tries again, and it is worse: the process ends.
    service.command.run(load_bad);
    let service = service.kill_and_start_again();
    service.command.run(["stick", "sleeper"]);
    assert_eq!(service.command.run(load_bad).code, Some(3));

    let history = service.command.run(["history"]).stdout;
    let told = passage(&history, "sleeper: 1.0.0+g1 is current; ");
    assert!(told.contains(&format!("; file {good} from {}; took ", fixture_str("sleeper", V1))), "{told}");
    assert!(told.contains(&format!("[by uid {uid}, pid {first}]")), "{told}");
    let told = passage(&history, "1.1.0+g2 is current, on trial for 10m 00s, and 1.0.0+g1 is old; ");
    assert!(told.contains(&bad) && told.contains(&format!("pid {second}]")), "{told}");
    assert!(
        told.contains("next: `segue confirm sleeper`") && told.contains("`segue rollback sleeper`"),
        "{told}"
    );
    let told = passage(&history, "went back to 1.0.0+g1, and 1.1.0+g2 is old; ");
    assert!(told.contains(&good) && told.contains(&format!("[by uid {uid}, pid {}]", back.pid)), "{told}");
    passage(&history, "sleeper: 1.1.0+g2 has left memory: ");
    let told = passage(&history, "sleeper: 1.1.0 is left behind: the restart did not return to it; ");
    assert!(told.contains(&bad) && told.contains("[by the runtime: a restart]"), "{told}");
    assert!(
        told.contains("why:  it was on trial and was not confirmed") && told.contains("next: "),
        "{told}"
    );
    let told = passage(&history, "1.0.0+g4 is current, as it was before; ");
    assert!(told.ends_with("<== current now; a restart returns to it"), "{told}");
    passage(&history, "sleeper: it is sticky");
    let told = passage(&history, "at the step read (sticky): nothing has changed");
    assert!(told.contains("why:  sleeper is sticky") && told.contains("next: `segue unstick"), "{told}");
    let last = history.lines().last().unwrap();
    assert_eq!(last, format!("now: sleeper: 1.0.0+g4 ({good}) is current; a restart returns to it"));

    // In order, each with its number and its time; and the same to whoever follows, from the first on.
    let events = service.command.run(["events"]).stdout;
    let numbers = events.lines().filter_map(|line| line.split_once("  #")).map(|(at, rest)| {
        assert!(at.ends_with('Z') && at.starts_with("20"), "{at}");
        rest.split(' ').next().unwrap().parse::<usize>().unwrap()
    });
    let numbers: Vec<usize> = numbers.collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    assert_eq!(events.matches("the runtime 0.").count(), 2, "it began twice: {events}");
    passage(&events, "went back to 1.0.0+g1");
}

#[test]
fn a_release_that_ends_the_process_is_told_with_where_and_what_next() {
    let service = Service::start(SEGUE, &[]);
    service.command.run(["load", &fixture_str("crasher", V1)]);
    service.command.run(["load", &fixture_str("crasher", V2), "--trial", "10m"]);
    // The process is gone before it can answer.
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
    let told = passage(
        &history,
        "the process before this one was ended by SIGSEGV, in the code of crasher 1.1.0+g2",
    );
    assert!(told.contains("why:  it happened in ") && told.contains("write_at_null"), "{told}");
    assert!(told.contains("next: `segue blocked`"), "{told}");
    let told =
        passage(&history, "crasher: 1.1.0 is blocked, and is not loaded, however it comes; file sha256:");
    assert!(told.contains("while it was on trial") && told.contains("next: "), "{told}");
    assert!(history.trim_end().ends_with("is current; a restart returns to it"), "{history}");

    let (_, blocked) = service.command.json(&["blocked"]);
    let digest = blocked[0]["digest"].as_str().unwrap();
    let told = passage(&history, "is blocked, and is not loaded");
    assert!(told.contains(&format!("`segue unblock {digest}`")), "{told}");
    let refused = service.command.run(["load", &fixture_str("crasher", V2)]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("is blocked: it ended the process with SIGSEGV"), "{refused:?}");
    let unblocked = service.command.run(["unblock", digest]);
    assert!(unblocked.stdout.contains("is not blocked any more"), "{unblocked:?}");
    let again = service.command.run(["unblock", digest]);
    assert_eq!(again.code, Some(0));
    assert!(again.stdout.contains("nothing was done"), "{again:?}");
    assert!(service.command.run(["blocked"]).stdout.contains("no file is blocked"));
}
