//! Commands that are sent again with the same key.

use segue_control::{Client, Limits};

use crate::{Server, raw, with_server};

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
