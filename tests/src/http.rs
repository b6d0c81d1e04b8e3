//! HTTP as bytes on a TCP socket, so that a test sees exactly what the server sent.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// An answer as the server sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// Sends `GET target` on a new connection.
///
/// # Panics
///
/// If there is no answer.
pub fn get(address: SocketAddr, target: &str) -> Answer {
    Connection::open(address).get(target)
}

/// Sends `POST target` with a body on a new connection.
///
/// # Panics
///
/// If there is no answer.
pub fn post(address: SocketAddr, target: &str, body: &[u8]) -> Answer {
    let mut request =
        format!("POST {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    request.extend(body);
    Connection::open(address).exchange(&request)
}

// === impl Answer ===

impl Answer {
    /// The body as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

// === impl Connection ===

impl Connection {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nothing listens there.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
        Connection { stream: BufReader::new(stream) }
    }

    /// Sends `GET target`.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub fn get(&mut self, target: &str) -> Answer {
        self.exchange(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes())
    }

    /// Sends these bytes and reads one answer.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn exchange(&mut self, request: &[u8]) -> Answer {
        self.send(request);
        self.answer().expect("the server answers")
    }

    /// Sends these bytes. A failure is ignored: a server that answered early may have closed its side.
    pub fn send(&mut self, request: &[u8]) {
        let _ = self.stream.get_mut().write_all(request);
    }

    /// Closes the sending side: no more requests follow.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    pub fn finish(&mut self) {
        self.stream.get_mut().shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Reads one answer; `None` if the connection is closed before one begins.
    ///
    /// # Panics
    ///
    /// If it is cut off.
    pub fn answer(&mut self) -> Option<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line().expect("headers end with an empty line");
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header has a colon");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map(|length| length.parse().expect("a number"));
        answer.body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut answer.body).expect("the body is complete");
        Some(answer)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }
}
