//! The whole server as a client sees it, in the bytes that it reads: limits, and the end. No module is loaded here.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use segue::Runtime;
use tokio::sync::oneshot;

use crate::{Config, Error, Figures, Server, Stats};

/// A server without modules, on a port of its own.
struct Served {
    addr: SocketAddr,
    stats: Stats,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<Result<(), Error>>,
    _state: tempfile::TempDir,
}

impl Served {
    fn start(config: Config) -> Self {
        let state = tempfile::tempdir().unwrap();
        let runtime = Runtime::builder().state_dir(state.path()).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            let reactor =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            reactor.block_on(async {
                let server = Server::builder(runtime).config(config).bind("127.0.0.1:0").await.unwrap();
                ready.send((server.local_addr(), server.stats())).unwrap();
                let result = server.run(async { stopped.await.unwrap_or_default() }).await;
                end.send(result).unwrap();
            });
        });
        let (addr, stats) = is_ready.recv().unwrap();
        Served { addr, stats, stop: Some(stop), ended, _state: state }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends these bytes, and reads until the server closes. Being reset is a failure.
    fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Waits until the server's figures say so: it counts some things after its answer.
    fn counts(&self, enough: impl Fn(&Figures) -> bool) {
        let began = Instant::now();
        while !enough(&self.stats.figures()) {
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", self.stats.figures());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(mut self) -> Result<(), Error> {
        self.stop.take().unwrap().send(()).unwrap();
        self.ended.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn get(target_bytes: usize, header_count: usize, header_bytes: usize) -> Vec<u8> {
    let mut request =
        format!("GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", "a".repeat(target_bytes - 1));
    for n in 0..header_count {
        request += &format!("x-{n}: {}\r\n", "b".repeat(header_bytes));
    }
    request += "\r\n";
    request.into_bytes()
}

#[test]
fn a_request_within_the_limits_is_looked_up() {
    let served = Served::start(Config::default());
    let answer = served.exchange(&get(8 * 1024, 90, 100));
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno such module\n"), "{answer}");
}

#[test]
fn a_target_past_its_limit_is_414() {
    let served = Served::start(Config::default());
    for bytes in [8 * 1024 + 1, 20_000, 65_000, 70_000, 100_000, 200_000] {
        let answer = served.exchange(&get(bytes, 1, 10));
        assert!(answer.starts_with("HTTP/1.1 414 "), "{bytes}: {answer}");
    }
}

#[test]
fn headers_past_their_limits_are_431() {
    let served = Served::start(Config::default());
    for (count, bytes) in
        [(99, 1), (200, 10), (5000, 10), (1, 33 * 1024), (1, 100_000), (2, 50_000), (1, 1_000_000)]
    {
        let answer = served.exchange(&get(1, count, bytes));
        assert!(answer.starts_with("HTTP/1.1 431 "), "{count} of {bytes}: {answer}");
    }
    served.counts(|figures| figures.headers_too_large == 7);
}

#[test]
fn a_body_that_says_it_is_too_large_is_413_while_it_is_still_sent() {
    let served = Served::start(Config { body_bytes_max: 1000, ..Config::default() });
    let mut request = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n".to_vec();
    // It has no module, and so nobody wants its body either.
    assert!(served.exchange(&request).starts_with("HTTP/1.1 404 "));
    // Sent in full, and more than any buffer on the way takes: the answer must not get lost in a reset.
    request = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n".to_vec();
    request.resize(request.len() + 8_000_000, b'x');
    let answer = served.exchange(&request);
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[test]
fn what_is_no_http_is_400() {
    let served = Served::start(Config::default());
    assert!(
        served.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").starts_with("HTTP/1.1 400 ")
    );
    assert!(served.exchange(b"GET / HTTP/1.1\r\nbad header\r\n\r\n").starts_with("HTTP/1.1 400 "));
    served.counts(|figures| figures.malformed == 2);
}

#[test]
fn connect_is_refused_and_a_target_without_a_path_belongs_to_nobody() {
    let served = Served::start(Config::default());
    let to =
        |line: &str| served.exchange(format!("{line}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
    assert!(to("CONNECT a.example:443 HTTP/1.1").starts_with("HTTP/1.1 501 "));
    assert!(to("OPTIONS * HTTP/1.1").starts_with("HTTP/1.1 404 "));
    assert!(to("GET http://a.example HTTP/1.1").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_client_that_says_nothing_or_too_little_is_shown_out() {
    let served =
        Served::start(Config { header_read_timeout: Duration::from_millis(300), ..Config::default() });
    // The last one could become HTTP/1 as well as HTTP/2.
    for begin in ["", "GET / HT", "P"] {
        let began = Instant::now();
        assert_eq!(served.exchange(begin.as_bytes()), "", "{begin:?}");
        assert!(began.elapsed() >= Duration::from_millis(250), "{begin:?}");
    }
}

#[test]
fn a_connection_is_kept_and_an_idle_one_does_not_hold_the_end_up() {
    let served = Served::start(Config::default());
    let (mut idle, untouched) = (served.connect(), served.connect());
    for _ in 0..3 {
        idle.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = [0; 1024];
        let length = idle.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 404 "));
    }
    served.counts(|figures| (figures.requests, figures.no_module, figures.connections) == (3, 3, 2));
    let stats = served.stats.clone();
    let began = Instant::now();
    served.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    for mut stream in [idle, untouched] {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert_eq!(stats.figures().connections, 0);
}

#[test]
fn a_request_that_is_still_being_written_is_cut_when_the_deadline_passes() {
    let served = Served::start(Config { drain_deadline: Duration::from_millis(300), ..Config::default() });
    let mut stream = served.connect();
    stream.write_all(b"GET /x HTTP/1.1\r\nhost").unwrap();
    // Until the server has read it.
    served.counts(|figures| figures.connections == 1);
    thread::sleep(Duration::from_millis(100));
    let error = served.stop().unwrap_err();
    assert!(matches!(error, Error::Drain { connections: 1, calls: 0, .. }), "{error}");
}

#[test]
fn a_request_that_was_sent_before_the_end_is_answered() {
    for _ in 0..20 {
        let served = Served::start(Config::default());
        let mut streams: Vec<_> = (0..10).map(|_| served.connect()).collect();
        for stream in &mut streams {
            stream.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        }
        served.stop().unwrap();
        for mut stream in streams {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        }
    }
}

#[test]
fn a_client_that_ends_its_side_is_gone() {
    let served = Served::start(Config::default());
    let mut stream = served.connect();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
