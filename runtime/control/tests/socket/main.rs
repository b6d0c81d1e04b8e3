//! The server and the client over a real socket, with a runtime that has no modules.

#![allow(clippy::unwrap_used, reason = "a failing test panics, and so do its helpers")]

mod events;
mod idempotency;
mod requests;
mod timeouts;

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use segue::{Code, Runtime};
use segue_control::{ClientError, Limits, Socket, serve};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::oneshot,
};

/// A running server in its own directory.
pub(crate) struct Server {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) runtime: Runtime,
}

/// Runs a test against a server, and then checks that the server stops cleanly.
pub(crate) fn with_server<F: Future>(limits: Limits, test: impl FnOnce(Server) -> F) -> F::Output {
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
pub(crate) async fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8(response).unwrap()
}

/// Sends one request, as `curl --unix-socket` does, and returns the response's status, head and body.
pub(crate) async fn send(path: &Path, method: &str, target: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let response = raw(path, request.as_bytes()).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

pub(crate) fn error_of(body: &str) -> Value {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("not an error object: {body:?}"));
    value["error"].clone()
}

pub(crate) fn refused(result: Result<impl std::fmt::Debug, ClientError>) -> (Code, u16) {
    match result {
        Err(ClientError::Refused { error, status }) => (error.code, status.as_u16()),
        other => panic!("not refused: {other:?}"),
    }
}
