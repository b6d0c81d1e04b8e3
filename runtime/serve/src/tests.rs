//! The whole server as a client sees it, byte for byte: limits and shutdown. No module is loaded.

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

/// A running server without modules, on its own port.
struct RunningServer {
    addr: SocketAddr,
    stats: Stats,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<Result<(), Error>>,
    _state: tempfile::TempDir,
}

impl RunningServer {
    fn start(config: Config) -> Self {
        let state = tempfile::tempdir().unwrap();
        let runtime = Runtime::builder().state_dir(state.path()).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready_sender, ready) = mpsc::channel();
        let (end_sender, ended) = mpsc::channel();
        thread::spawn(move || {
            let reactor =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            reactor.block_on(async {
                let server = Server::builder(runtime).config(config).bind("127.0.0.1:0").await.unwrap();
                ready_sender.send((server.local_addr(), server.stats())).unwrap();
                let result = server.run(async { stopped.await.unwrap_or_default() }).await;
                end_sender.send(result).unwrap();
            });
        });
        let (addr, stats) = ready.recv().unwrap();
        RunningServer { addr, stats, stop: Some(stop), ended, _state: state }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends these bytes and reads until the server closes the connection. A reset fails the test.
    fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    /// Waits until the predicate holds: the server updates some counters after its response.
    fn wait_for_figures(&self, predicate: impl Fn(&Figures) -> bool) {
        let start = Instant::now();
        while !predicate(&self.stats.figures()) {
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", self.stats.figures());
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
fn a_request_within_the_limits_reaches_the_routes() {
    let server = RunningServer::start(Config::default());
    let response = server.exchange(&get(8 * 1024, 90, 100));
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    assert!(response.ends_with("\r\n\r\nno such module\n"), "{response}");
}

#[test]
fn a_target_past_its_limit_is_414() {
    let server = RunningServer::start(Config::default());
    for bytes in [8 * 1024 + 1, 20_000, 65_000, 70_000, 100_000, 200_000] {
        let response = server.exchange(&get(bytes, 1, 10));
        assert!(response.starts_with("HTTP/1.1 414 "), "{bytes}: {response}");
    }
}

#[test]
fn headers_past_their_limits_are_431() {
    let server = RunningServer::start(Config::default());
    for (count, bytes) in
        [(99, 1), (200, 10), (5000, 10), (1, 33 * 1024), (1, 100_000), (2, 50_000), (1, 1_000_000)]
    {
        let response = server.exchange(&get(1, count, bytes));
        assert!(response.starts_with("HTTP/1.1 431 "), "{count} of {bytes}: {response}");
    }
    server.wait_for_figures(|figures| figures.headers_too_large == 7);
}

#[test]
fn a_body_that_is_not_read_does_not_lose_the_response() {
    let server = RunningServer::start(Config { body_bytes_max: 1000, ..Config::default() });
    let mut request = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n".to_vec();
    // There is no module, so the body is not read.
    assert!(server.exchange(&request).starts_with("HTTP/1.1 404 "));
    // Sent completely, and larger than any buffer on the way: a reset must not lose the response.
    request = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n".to_vec();
    request.resize(request.len() + 8_000_000, b'x');
    let response = server.exchange(&request);
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
}

#[test]
fn invalid_http_is_400() {
    let server = RunningServer::start(Config::default());
    assert!(
        server.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").starts_with("HTTP/1.1 400 ")
    );
    assert!(server.exchange(b"GET / HTTP/1.1\r\nbad header\r\n\r\n").starts_with("HTTP/1.1 400 "));
    server.wait_for_figures(|figures| figures.malformed == 2);
}

#[test]
fn connect_is_501_and_a_target_without_a_path_is_404() {
    let server = RunningServer::start(Config::default());
    let send =
        |line: &str| server.exchange(format!("{line}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
    assert!(send("CONNECT a.example:443 HTTP/1.1").starts_with("HTTP/1.1 501 "));
    assert!(send("OPTIONS * HTTP/1.1").starts_with("HTTP/1.1 404 "));
    assert!(send("GET http://a.example HTTP/1.1").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_client_that_sends_nothing_or_too_little_is_disconnected() {
    let server =
        RunningServer::start(Config { header_read_timeout: Duration::from_millis(300), ..Config::default() });
    // The last one can be the start of HTTP/1 or HTTP/2.
    for prefix in ["", "GET / HT", "P"] {
        let start = Instant::now();
        assert_eq!(server.exchange(prefix.as_bytes()), "", "{prefix:?}");
        assert!(start.elapsed() >= Duration::from_millis(250), "{prefix:?}");
    }
}

#[test]
fn a_connection_is_reused_and_an_idle_one_does_not_delay_the_shutdown() {
    let server = RunningServer::start(Config::default());
    let (mut idle, untouched) = (server.connect(), server.connect());
    for _ in 0..3 {
        idle.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut response = [0; 1024];
        let length = idle.read(&mut response).unwrap();
        assert!(response[..length].starts_with(b"HTTP/1.1 404 "));
    }
    server
        .wait_for_figures(|figures| (figures.requests, figures.no_module, figures.connections) == (3, 3, 2));
    let stats = server.stats.clone();
    let start = Instant::now();
    server.stop().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    for mut stream in [idle, untouched] {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert_eq!(stats.figures().connections, 0);
}

#[test]
fn an_unfinished_request_is_aborted_at_the_drain_deadline() {
    let server =
        RunningServer::start(Config { drain_deadline: Duration::from_millis(300), ..Config::default() });
    let mut stream = server.connect();
    stream.write_all(b"GET /x HTTP/1.1\r\nhost").unwrap();
    // Gives the server time to read it.
    server.wait_for_figures(|figures| figures.connections == 1);
    thread::sleep(Duration::from_millis(100));
    let error = server.stop().unwrap_err();
    assert!(matches!(error, Error::Drain { connections: 1, calls: 0, .. }), "{error}");
}

#[test]
fn a_request_sent_before_the_shutdown_gets_a_response() {
    for _ in 0..20 {
        let server = RunningServer::start(Config::default());
        let mut streams: Vec<_> = (0..10).map(|_| server.connect()).collect();
        for stream in &mut streams {
            stream.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        }
        server.stop().unwrap();
        for mut stream in streams {
            let mut response = String::new();
            stream.read_to_string(&mut response).unwrap();
            assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
        }
    }
}

#[test]
fn a_client_that_shuts_down_its_sending_side_is_disconnected() {
    let server = RunningServer::start(Config::default());
    let mut stream = server.connect();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
