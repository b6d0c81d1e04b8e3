//! The load client against servers that do what a release must never cause: it has to notice.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{Load, Loss, Outcome, Phase, Plan};

/// Serves each connection with this, on a thread of its own, until the test ends.
fn serve(answer: impl Fn(TcpStream) + Clone + Send + 'static) -> Plan {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plan = Plan { keep_alive: 1, fresh: 0, ..Plan::new(listener.local_addr().unwrap()) };
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream.unwrap()));
        }
    });
    plan
}

/// Reads the head of a request. The name that is asked for; none where the client is gone.
fn read(reader: &mut impl BufRead) -> Option<String> {
    let mut lines = reader.lines().map_while(Result::ok);
    let name = lines.next()?.split(['/', ' ', '?']).nth(3)?.to_owned();
    lines.find(|line| line.is_empty())?;
    Some(name)
}

fn write(stream: &mut TcpStream, version: &str, body: &str) {
    let head =
        format!("HTTP/1.1 200 OK\r\nx-segue-version: {version}\r\ncontent-length: {}\r\n\r\n", body.len());
    // The client may have gone.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Answers rightly, so many times on each connection, and then closes it.
fn right(times: usize) -> impl Fn(TcpStream) + Clone + Send + 'static {
    move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for _ in 0..times {
            let Some(name) = read(&mut reader) else { return };
            write(&mut stream, "1.0.0+g1", &format!("Hello, {name}! This is greeter 1.0.0.\n"));
        }
    }
}

/// Runs the load until this has been seen.
fn run(plan: Plan, enough: impl Fn(&Load) -> bool) -> Outcome {
    let load = Load::start(plan).unwrap();
    load.begin(Phase::Quiet);
    let began = Instant::now();
    while !enough(&load) {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", load.stop());
        thread::sleep(Duration::from_millis(1));
    }
    load.stop()
}

#[test]
fn a_server_that_answers_rightly_loses_nothing() {
    let plan = Plan { slow: Some(Duration::from_millis(1)), ..serve(right(usize::MAX)) };
    let outcome = run(plan, |load| load.progress().answered >= 50);
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
    assert_eq!(outcome.total(), outcome.by_version()["1.0.0"]);
    assert!(outcome.quiet.count() > 0 && outcome.during.count() == 0);
}

#[test]
fn a_connection_that_the_server_closes_is_a_loss() {
    let outcome = run(serve(right(3)), |load| load.progress().lost >= 3);
    assert!(
        outcome.losses.keys().all(|loss| matches!(loss, Loss::Eof | Loss::Reset)),
        "{:?}",
        outcome.examples
    );
    // Nothing was asked twice: what the server answered is what was counted.
    assert_eq!(outcome.total(), 3 * outcome.lost());
}

#[test]
fn fresh_connections_survive_that() {
    let plan = Plan { keep_alive: 0, fresh: 2, ..serve(right(1)) };
    let outcome = run(plan, |load| load.progress().answered >= 50);
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
}

#[test]
fn nobody_there_is_a_loss() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = run(Plan::new(address), |load| load.progress().lost >= 6);
    assert_eq!(outcome.losses.keys().collect::<Vec<_>>(), [&Loss::Refused], "{:?}", outcome.examples);
    assert_eq!(outcome.total(), 0);
}

#[test]
fn an_answer_to_somebody_else_is_a_loss() {
    let mixed_up = |mut stream: TcpStream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while read(&mut reader).is_some() {
            write(&mut stream, "1.0.0+g1", "Hello, n0! This is greeter 1.0.0.\n");
        }
    };
    let outcome = run(serve(mixed_up), |load| load.progress().lost >= 2);
    assert_eq!(outcome.losses.keys().collect::<Vec<_>>(), [&Loss::WrongBody], "{:?}", outcome.examples);
}

#[test]
fn half_an_answer_and_none_are_losses() {
    let half = |mut stream: TcpStream| {
        read(&mut BufReader::new(stream.try_clone().unwrap()));
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nx-segue-version: 1.0.0+g1\r\ncontent-length: 40\r\n\r\nHel");
    };
    let outcome = run(serve(half), |load| load.progress().lost >= 2);
    assert_eq!(outcome.losses.keys().collect::<Vec<_>>(), [&Loss::Eof], "{:?}", outcome.examples);

    let (keep, kept) = mpsc::channel();
    let silent = move |stream: TcpStream| keep.send(stream).unwrap();
    let plan = Plan { answer_timeout: Duration::from_millis(50), ..serve(silent) };
    let outcome = run(plan, |load| load.progress().lost >= 2);
    assert_eq!(outcome.losses.keys().collect::<Vec<_>>(), [&Loss::Timeout], "{:?}", outcome.examples);
    drop(kept);
}

#[test]
fn a_version_that_was_replaced_is_noticed() {
    let load = Load::start(serve(right(usize::MAX))).unwrap();
    while load.progress().answered == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    load.retire(1);
    while load.progress().lost < 2 {
        thread::sleep(Duration::from_millis(1));
    }
    load.reinstate(1);
    let before = load.progress().answered;
    while load.progress().answered < before + 5 {
        thread::sleep(Duration::from_millis(1));
    }
    let outcome = load.stop();
    assert_eq!(outcome.losses.keys().collect::<Vec<_>>(), [&Loss::RollbackSource], "{:?}", outcome.examples);
}
