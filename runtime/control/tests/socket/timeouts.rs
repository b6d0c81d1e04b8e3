//! Clients that are idle or stall.

use std::time::Duration;

use segue_control::{Client, Limits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::{Server, raw, with_server};

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
