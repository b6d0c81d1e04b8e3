//! The server and the client over a real socket, with a runtime that has no modules.

#![allow(clippy::unwrap_used, reason = "a failing test panics, and so do its helpers")]

use std::{
    future::Future,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use segue::{Actor, Code, Digest, Event, Runtime};
use segue_control::{
    Client, ClientError, Extent, Limits, Socket,
    api::{ImageRef, LoadRequest},
    serve,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::oneshot,
};

/// A running server in its own directory.
struct Server {
    directory: tempfile::TempDir,
    path: PathBuf,
    runtime: Runtime,
}

/// Runs a test against a server, and then checks that the server stops cleanly.
fn with_server<F: Future>(limits: Limits, test: impl FnOnce(Server) -> F) -> F::Output {
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segue.sock");
    let runtime = Runtime::builder().state_dir(directory.path().join("state")).build().unwrap();
    let output = executor.block_on(async {
        let socket = Socket::bind(&path).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(runtime.clone(), socket, limits, async { drop(stopped.await) }));
        let output = test(Server { directory, path: path.clone(), runtime: runtime.clone() }).await;
        drop(stop);
        server.await.unwrap().unwrap();
        assert!(!path.exists(), "the server removes its socket file");
        output
    });
    runtime.shutdown(Duration::from_secs(5)).unwrap();
    output
}

/// Sends these bytes and reads until the server closes the connection.
async fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8(response).unwrap()
}

/// Sends one request, as `curl --unix-socket` does, and returns the response's status, head and body.
async fn send(path: &Path, method: &str, target: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let response = raw(path, request.as_bytes()).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn error_of(body: &str) -> Value {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("not an error object: {body:?}"));
    value["error"].clone()
}

fn refused(result: Result<impl std::fmt::Debug, ClientError>) -> (Code, u16) {
    match result {
        Err(ClientError::Refused { error, status }) => (error.code, status.as_u16()),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn the_client_gets_responses() {
    with_server(Limits::default(), async |server: Server| {
        let client = Client::new(&server.path);
        assert_eq!(client.health().await.unwrap().status, "ok");
        assert_eq!(client.modules().await.unwrap(), []);
        assert!(client.metrics().await.unwrap().contains("segue_images_mapped 0\n"));
        assert_eq!(refused(client.status("greeter").await), (Code::NotFound, 404));
        assert_eq!(refused(client.status("gr/ee ter?ä").await), (Code::NotFound, 404));
        assert_eq!(refused(client.rollback("greeter").await), (Code::NotFound, 404));
        assert_eq!(refused(client.soft_purge("greeter").await), (Code::NotFound, 404));
        assert_eq!(refused(client.purge("greeter", Duration::from_millis(1)).await), (Code::NotFound, 404));
        let missing = LoadRequest::new(ImageRef::Path(server.directory.path().join("missing.so")));
        assert_eq!(refused(client.load(&missing).await), (Code::NotFound, 404));
        let absent = LoadRequest::new(ImageRef::Digest(Digest::of(b"never put")));
        assert_eq!(refused(client.load(&absent).await), (Code::NotFound, 404));
    });
}

#[test]
fn a_file_that_is_not_a_module_is_refused_by_path_and_by_upload() {
    with_server(Limits::default(), async |server: Server| {
        let client = Client::new(&server.path);
        let path = server.directory.path().join("readme.so");
        std::fs::write(&path, "not an ELF file").unwrap();
        assert_eq!(refused(client.load(&LoadRequest::new(ImageRef::Path(path))).await), (Code::BadElf, 422));
        assert_eq!(refused(client.put_image(&b"not an ELF file"[..]).await), (Code::BadElf, 422));
    });
}

#[test]
fn every_bad_request_gets_an_error_object() {
    with_server(Limits::default(), async |server: Server| {
        let load = |body: Value| body.to_string();
        let cases = [
            ("GET", "/", String::new(), 404, "not_found"),
            ("GET", "/v2/modules", String::new(), 404, "not_found"),
            ("DELETE", "/v1/modules", String::new(), 405, "bad_request"),
            ("GET", "/v1/load", String::new(), 405, "bad_request"),
            ("GET", "/v1/modules/%ff", String::new(), 400, "bad_request"),
            ("GET", "/v1/modules/greeter", String::new(), 404, "not_found"),
            ("POST", "/v1/load", String::new(), 400, "bad_request"),
            ("POST", "/v1/load", "{".to_owned(), 400, "bad_request"),
            ("POST", "/v1/load", load(json!({"images": []})), 400, "bad_request"),
            ("POST", "/v1/load", load(json!({"images": [{"path": "relative.so"}]})), 400, "bad_request"),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}, {"path": "b"}]})),
                400,
                "bad_request",
            ),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "trial_end": "confirm"})),
                400,
                "bad_request",
            ),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "trial_ms": 0})),
                400,
                "bad_request",
            ),
            ("POST", "/v1/modules/greeter/confirm", String::new(), 404, "not_found"),
            ("POST", "/v1/modules/greeter/delete", String::new(), 404, "not_found"),
            ("POST", "/v1/modules/greeter/stick", String::new(), 404, "not_found"),
            ("POST", "/v1/blocked/sha256:12/unblock", String::new(), 400, "bad_request"),
            ("GET", "/v1/history?module=greeter", String::new(), 404, "not_found"),
            ("GET", "/v1/history?limit=0", String::new(), 400, "bad_request"),
            ("GET", "/v1/history?limit=10001", String::new(), 400, "bad_request"),
            ("GET", "/v1/history?modul=greeter", String::new(), 400, "bad_request"),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "polcy": "wait"})),
                400,
                "bad_request",
            ),
            (
                "POST",
                "/v1/load",
                load(json!({"images": [{"path": "/a"}], "deadline_ms": u64::MAX})),
                400,
                "bad_request",
            ),
            ("POST", "/v1/load", " ".repeat(70_000), 413, "too_large"),
            ("POST", "/v1/modules/greeter/purge", "{\"deadline_ms\":\"5s\"}".to_owned(), 400, "bad_request"),
            ("POST", "/v1/modules/greeter/purge", String::new(), 404, "not_found"),
            ("PUT", "/v1/images", String::new(), 400, "bad_request"),
            ("GET", "/v1/events?from=x", String::new(), 400, "bad_request"),
            ("GET", "/v1/events?form=1", String::new(), 400, "bad_request"),
        ];
        for (method, target, body, status, code) in cases {
            let (got, head, body) = send(&server.path, method, target, &body).await;
            assert_eq!(got, status, "{method} {target}: {body}");
            assert_eq!(error_of(&body)["code"], code, "{method} {target}: {body}");
            assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
            assert_eq!(head.to_lowercase().contains("\r\nallow:"), status == 405, "{head}");
        }
        let (status, _, set) =
            send(&server.path, "POST", "/v1/load", r#"{"images":[{"path":"/a"},{"path":"/b"}]}"#).await;
        let members = error_of(&set)["members"].clone();
        assert_eq!(
            (status, members.as_array().unwrap().len()),
            (404, 2),
            "the error object has one member for each file: {set}"
        );
        assert!(members[1]["message"].as_str().unwrap().contains("/b"), "{set}");
    });
}

#[test]
fn a_body_past_its_limit_is_refused_while_it_is_sent() {
    let mut limits = Limits::default();
    limits.image_bytes_max = 100_000;
    with_server(limits, async |server: Server| {
        let client = Client::new(&server.path);
        assert_eq!(refused(client.put_image(vec![b'x'; 100_000]).await), (Code::BadElf, 422));
        assert_eq!(refused(client.put_image(vec![b'x'; 100_001]).await), (Code::TooLarge, 413));
        assert_eq!(refused(client.put_image(vec![b'x'; 30_000_000]).await), (Code::TooLarge, 413));
        assert_eq!(client.health().await.unwrap().status, "ok");
    });
}

#[test]
fn events_can_be_read_followed_and_resumed() {
    with_server(Limits::default(), async |server: Server| {
        let client = Client::new(&server.path);
        let refuse = async || {
            let missing = LoadRequest::new(ImageRef::Path("/nowhere/missing.so".into()));
            refused(client.load(&missing).await);
        };
        refuse().await;
        refuse().await;
        let mut recorded = client.events(0, Extent::Recorded).await.unwrap();
        let first = recorded.next().await.unwrap().unwrap();
        assert_eq!(first.seq, 1);
        assert!(matches!(first.event, Event::Started { .. }));
        let refused = recorded.next().await.unwrap().unwrap();
        assert!(matches!(refused.event, Event::Refused { .. }));
        let me = std::fs::metadata(server.directory.path()).unwrap().uid();
        assert_eq!(refused.by, Actor::Peer { uid: me, pid: i32::try_from(std::process::id()).ok() });
        assert_eq!(recorded.next().await.unwrap().unwrap().seq, 3);
        assert_eq!(recorded.next().await.unwrap(), None);

        let mut followed = client.events(3, Extent::Follow).await.unwrap();
        assert_eq!(followed.next().await.unwrap().unwrap().seq, 3);
        refuse().await;
        assert_eq!(followed.next().await.unwrap().unwrap().seq, 4);

        let mut resumed = client.events_after(3, Extent::Recorded).await.unwrap();
        assert_eq!(resumed.next().await.unwrap().unwrap().seq, 4);
        assert_eq!(resumed.next().await.unwrap(), None);
        let mut up_to_date = client.events_after(4, Extent::Recorded).await.unwrap();
        assert_eq!(up_to_date.next().await.unwrap(), None);
        // Number 900 comes from a runtime with another state directory.
        let mut restarted = client.events_after(900, Extent::Recorded).await.unwrap();
        assert_eq!(restarted.next().await.unwrap().unwrap().seq, 1);

        let (status, head, body) = send(&server.path, "GET", "/v1/events?from=4&follow=false", "").await;
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains("content-type: text/event-stream"), "{head}");
        assert!(
            body.contains("id: 4\n") && body.contains("event: refused\n") && body.contains("data: {"),
            "{body}"
        );
        let history = client.history(None, 2).await.unwrap();
        assert_eq!(history.iter().map(|record| record.seq).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(client.blocked().await.unwrap(), []);
        let never = client.unblock(&Digest::of(b"never blocked")).await.unwrap();
        assert!(!never.unblocked, "the file was not blocked, and the response says so");
    });
}

/// With many more events than are held in memory or read at once.
#[test]
fn a_stream_has_all_events_of_the_ledger_and_continues_after_a_restart() {
    const EVENTS: u64 = 5000;
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let run = |test: &mut dyn FnMut(&Runtime, &Client)| {
        let runtime = Runtime::builder().state_dir(&state).build().unwrap();
        let path = directory.path().join("segue.sock");
        let socket = Socket::bind(&path).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = serve(runtime.clone(), socket, Limits::default(), async { drop(stopped.await) });
        let server = executor.spawn(served);
        test(&runtime, &Client::new(&path));
        runtime.shutdown(Duration::from_secs(5)).unwrap();
        drop(stop);
        executor.block_on(server).unwrap().unwrap();
    };
    run(&mut |runtime, _| {
        for _ in 0..EVENTS - 2 {
            runtime.load("/nowhere/missing.so").unwrap_err();
        }
    });
    run(&mut |_, client| {
        executor.block_on(async {
            let mut all = client.events(0, Extent::Recorded).await.unwrap();
            for seq in 1..=EVENTS + 1 {
                assert_eq!(all.next().await.unwrap().unwrap().seq, seq);
            }
            assert_eq!(all.next().await.unwrap(), None);
            let mut later = client.events_after(EVENTS - 1, Extent::Follow).await.unwrap();
            assert!(matches!(later.next().await.unwrap().unwrap().event, Event::Stopped { .. }));
            let started = later.next().await.unwrap().unwrap();
            assert_eq!(started.seq, EVENTS + 1);
            assert!(matches!(started.event, Event::Started { .. }));
        });
    });
}

#[test]
fn a_command_whose_connection_breaks_is_sent_again_with_the_same_key() {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segue.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let body = r#"{"module":"greeter","sticky":true,"changed":true}"#;
        let mut keys = Vec::new();
        for attempt in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut buffer = [0; 512];
                let length = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            let head = String::from_utf8(request).unwrap();
            let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
            keys.push(key.expect("a command has a key").to_owned());
            if attempt == 1 {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all([head.as_str(), body].concat().as_bytes()).unwrap();
            }
        }
        keys
    });
    let response = executor.block_on(Client::new(&path).stick("greeter")).unwrap();
    assert!(response.sticky && response.changed);
    let keys = server.join().unwrap();
    assert_eq!(keys[0], keys[1]);
    assert!(!keys[0].is_empty());
}

#[test]
fn an_invalid_idempotency_key_is_refused() {
    with_server(Limits::default(), async |server: Server| {
        for key in ["", "a b", &"x".repeat(129), "a\r\nidempotency-key: b"] {
            let request = format!(
                "POST /v1/modules/greeter/rollback HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: {key}\r\n\r\n"
            );
            let response = raw(&server.path, request.as_bytes()).await;
            assert!(
                response.starts_with("HTTP/1.1 400 ") && response.contains("Idempotency-Key"),
                "{key:?}: {response}"
            );
        }
    });
}

#[test]
fn an_event_stream_ends_with_the_runtime() {
    with_server(Limits::default(), async |server: Server| {
        let mut followed = Client::new(&server.path).events(0, Extent::Follow).await.unwrap();
        let runtime = server.runtime.clone();
        assert!(matches!(followed.next().await.unwrap().unwrap().event, Event::Started { .. }));
        let ended = tokio::spawn(async move { (followed.next().await, followed.next().await) });
        tokio::task::spawn_blocking(move || runtime.shutdown(Duration::from_secs(5))).await.unwrap().unwrap();
        let (last, end) = ended.await.unwrap();
        assert!(matches!(last.unwrap().unwrap().event, Event::Stopped { .. }));
        assert_eq!(end.unwrap(), None);
    });
}

#[test]
fn an_open_event_stream_does_not_delay_the_shutdown() {
    let start = Instant::now();
    let stream = with_server(Limits::default(), async |server: Server| {
        Client::new(&server.path).events(0, Extent::Follow).await.unwrap()
    });
    assert!(start.elapsed() < Duration::from_secs(4), "took {:?}", start.elapsed());
    drop(stream);
}

#[test]
fn idle_connections_are_closed_and_do_not_block_other_clients() {
    let mut limits = Limits::default();
    limits.connections_max = 8;
    limits.header_read_timeout = Duration::from_millis(300);
    with_server(limits, async |server: Server| {
        let mut idle = Vec::new();
        for n in 0..20 {
            let mut stream = UnixStream::connect(&server.path).await.unwrap();
            if n % 2 == 0 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
            }
            idle.push(stream);
        }
        let client = Client::new(&server.path);
        let response = tokio::time::timeout(Duration::from_secs(10), client.health()).await;
        assert_eq!(response.expect("idle clients blocked this one").unwrap().status, "ok");
        for mut stream in idle {
            let mut rest = Vec::new();
            tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest))
                .await
                .unwrap()
                .unwrap();
        }
    });
}

#[test]
fn a_stalled_body_times_out() {
    let mut limits = Limits::default();
    limits.body_idle_timeout = Duration::from_millis(200);
    with_server(limits, async |server: Server| {
        let request =
            b"POST /v1/load HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{";
        let response = raw(&server.path, request).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        assert!(response.contains("timed out after 0.2 s waiting for more of the body"), "{response}");
    });
}

#[test]
fn an_event_stream_past_the_limit_is_refused() {
    let mut limits = Limits::default();
    limits.event_streams_max = 2;
    with_server(limits, async |server: Server| {
        let client = Client::new(&server.path);
        let first = client.events(0, Extent::Follow).await.unwrap();
        let _second = client.events(0, Extent::Follow).await.unwrap();
        assert!(matches!(
            client.events(0, Extent::Recorded).await,
            Err(ClientError::Refused { error, .. }) if error.code == Code::Busy
        ));
        assert_eq!(client.health().await.unwrap().status, "ok");
        drop(first);
        let start = Instant::now();
        while client.events(0, Extent::Recorded).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "a closed stream still counts");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn the_client_reports_a_missing_or_foreign_server() {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segue.sock");
        let client = Client::new(&path);
        let missing = client.modules().await.unwrap_err();
        assert!(matches!(missing, ClientError::Unreachable { .. }));
        assert_eq!(missing.code(), Code::Unreachable);
        assert!(missing.object().hint.unwrap().contains("segue serve"));
        // A stale socket file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(client.modules().await.unwrap_err().code(), Code::Unreachable);
        // A server that is not a runtime.
        let listener = std::os::unix::net::UnixListener::bind(directory.path().join("other.sock")).unwrap();
        let other = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\noops").unwrap();
        });
        let error = Client::new(directory.path().join("other.sock")).modules().await.unwrap_err();
        assert!(matches!(&error, ClientError::Protocol { reason, .. } if reason.contains("500")), "{error}");
        other.join().unwrap();
    });
}

#[test]
fn the_description_is_served_unchanged() {
    with_server(Limits::default(), async |server: Server| {
        let (status, _, body) = send(&server.path, "GET", "/openapi.json", "").await;
        assert_eq!(status, 200);
        assert_eq!(body, segue_control::OPENAPI);
    });
}
