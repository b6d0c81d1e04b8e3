//! The control socket as any HTTP client sees it: HTTP as bytes on a unix socket.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use serde_json::Value;

use crate::Service;

/// Sends a request with extra headers; returns the status and the body of the answer.
///
/// # Panics
///
/// If there is no answer.
pub fn ask(
    service: &Service,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String) {
    let socket = service.home.path().join("segue.sock");
    let mut stream = UnixStream::connect(socket).expect("the socket accepts a connection");
    let extra: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: segue\r\nconnection: close\r\ncontent-type: application/json\r\n{extra}content-length: {}\r\n\r\n",
        body.len()
    );
    // In one write: if the server answers early and closes, a second write would reset the connection.
    stream.write_all(&[head.as_bytes(), body].concat()).expect("the socket takes a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the socket gives an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("an answer has a status"), body.to_owned())
}

/// The same as [`ask`], with JSON. A null body sends none.
///
/// # Panics
///
/// If there is no answer, or it is not JSON.
pub fn ask_json(
    service: &Service,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, answer) = ask(service, method, path, headers, body.as_bytes());
    let answer = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    (status, answer)
}
