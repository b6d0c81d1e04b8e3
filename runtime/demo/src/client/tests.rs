//! Runs the load client against faulty servers. The client must detect each loss.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{Clients, Loss, Outcome, Period, Plan};

/// Serves each connection with `answer`, on its own thread, until the test ends.
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

/// Reads the head of a request and returns the requested name. `None` if the client has closed the
/// connection.
fn read(reader: &mut impl BufRead) -> Option<String> {
    let mut lines = reader.lines().map_while(Result::ok);
    let name = lines.next()?.split(['/', ' ', '?']).nth(3)?.to_owned();
    lines.find(|line| line.is_empty())?;
    Some(name)
}

fn write(stream: &mut TcpStream, version: &str, body: &str) {
    let head =
        format!("HTTP/1.1 200 OK\r\nx-segue-version: {version}\r\ncontent-length: {}\r\n\r\n", body.len());
    // Fails if the client has closed the connection.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Sends `times` right answers on each connection, and then closes it.
fn right_answers(times: usize) -> impl Fn(TcpStream) + Clone + Send + 'static {
    move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for _ in 0..times {
            let Some(name) = read(&mut reader) else { return };
            write(&mut stream, "1.0.0+g1", &format!("Hello, {name}! This is greeter 1.0.0.\n"));
        }
    }
}

/// Runs the clients until `is_enough` returns true.
fn run(plan: Plan, is_enough: impl Fn(&Clients) -> bool) -> Outcome {
    let clients = Clients::start(plan).unwrap();
    clients.begin(Period::Quiet);
    let started = Instant::now();
    while !is_enough(&clients) {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", clients.stop());
        thread::sleep(Duration::from_millis(1));
    }
    clients.stop()
}

fn losses(outcome: &Outcome) -> Vec<Loss> {
    outcome.losses.keys().copied().collect()
}

#[test]
fn a_right_answer_is_not_a_loss() {
    let plan = Plan { slow: Some(Duration::from_millis(1)), ..serve(right_answers(usize::MAX)) };
    let outcome = run(plan, |clients| clients.progress().answered >= 50);
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
    assert_eq!(outcome.total(), outcome.by_version()["1.0.0"]);
    assert!(outcome.quiet.count() > 0 && outcome.during.count() == 0);
}

#[test]
fn a_kept_connection_that_the_server_closes_is_a_loss() {
    let outcome = run(serve(right_answers(3)), |clients| clients.progress().lost >= 3);
    assert!(
        losses(&outcome).iter().all(|loss| matches!(loss, Loss::Eof | Loss::Reset)),
        "{:?}",
        outcome.examples
    );
    // No request was sent twice: the clients count what the server answered.
    assert_eq!(outcome.total(), 3 * outcome.lost());
}

#[test]
fn a_fresh_connection_may_be_closed_after_its_answer() {
    let plan = Plan { keep_alive: 0, fresh: 2, ..serve(right_answers(1)) };
    let outcome = run(plan, |clients| clients.progress().answered >= 50);
    assert_eq!(outcome.lost(), 0, "{:?}", outcome.examples);
}

#[test]
fn a_refused_connection_is_a_loss() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = run(Plan::new(address), |clients| clients.progress().lost >= 6);
    assert_eq!(losses(&outcome), [Loss::Refused], "{:?}", outcome.examples);
    assert_eq!(outcome.total(), 0);
}

#[test]
fn the_answer_to_another_request_is_a_loss() {
    let mixed_up = |mut stream: TcpStream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while read(&mut reader).is_some() {
            write(&mut stream, "1.0.0+g1", "Hello, n0! This is greeter 1.0.0.\n");
        }
    };
    let outcome = run(serve(mixed_up), |clients| clients.progress().lost >= 2);
    assert_eq!(losses(&outcome), [Loss::WrongBody], "{:?}", outcome.examples);
}

#[test]
fn an_incomplete_answer_and_a_missing_answer_are_losses() {
    let half = |mut stream: TcpStream| {
        read(&mut BufReader::new(stream.try_clone().unwrap()));
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nx-segue-version: 1.0.0+g1\r\ncontent-length: 40\r\n\r\nHel");
    };
    let outcome = run(serve(half), |clients| clients.progress().lost >= 2);
    assert_eq!(losses(&outcome), [Loss::Eof], "{:?}", outcome.examples);

    let (keep, kept) = mpsc::channel();
    let silent = move |stream: TcpStream| keep.send(stream).unwrap();
    let plan = Plan { answer_timeout: Duration::from_millis(50), ..serve(silent) };
    let outcome = run(plan, |clients| clients.progress().lost >= 2);
    assert_eq!(losses(&outcome), [Loss::Timeout], "{:?}", outcome.examples);
    drop(kept);
}

#[test]
fn an_answer_from_a_replaced_version_is_a_loss() {
    let clients = Clients::start(serve(right_answers(usize::MAX))).unwrap();
    while clients.progress().answered == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    clients.retire(1);
    while clients.progress().lost < 2 {
        thread::sleep(Duration::from_millis(1));
    }
    clients.reinstate(1);
    let before = clients.progress().answered;
    while clients.progress().answered < before + 5 {
        thread::sleep(Duration::from_millis(1));
    }
    let outcome = clients.stop();
    assert_eq!(losses(&outcome), [Loss::WentBack], "{:?}", outcome.examples);
}
