//! One request and its answer, over one bare connection.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use super::Loss;

/// A connection to the server.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// Moves the bytes. It ends with the connection.
    mover: JoinHandle<Result<(), hyper::Error>>,
}

/// What is asked.
pub(super) struct RequestContext {
    pub(super) target: String,
    /// Whether the connection is to be kept. Otherwise it is a new one, and the server is asked to close it.
    pub(super) keep_alive: bool,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Asks, on the connection given or a new one, which is left there where it is to be kept.
pub(super) async fn exchange(
    address: SocketAddr,
    asked: &RequestContext,
    connection: &mut Option<Connection>,
    patience: Duration,
) -> Result<Answer, (Loss, String)> {
    let whole = async {
        let mut used = match connection.take() {
            Some(kept) => kept,
            None => Connection::open(address).await?,
        };
        let answer = used.ask(address, asked).await?;
        if asked.keep_alive {
            *connection = Some(used);
        }
        Ok(answer)
    };
    match timeout(patience, whole).await {
        Ok(answered) => answered,
        Err(_) => Err((Loss::Timeout, format!("no answer in {} s", patience.as_secs_f64()))),
    }
}

// === impl Connection ===

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, (Loss, String)> {
        let failed = |error: std::io::Error| (Loss::of_io(&error), format!("connecting: {error}"));
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        // Thousands of connections a second would otherwise use up the ports of the machine: each waits a minute after
        // its end. When this one is closed its answer has been read.
        stream.set_zero_linger().map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost("opening"))?;
        Ok(Connection { sender, mover: tokio::spawn(connection) })
    }

    async fn ask(&mut self, address: SocketAddr, asked: &RequestContext) -> Result<Answer, (Loss, String)> {
        self.sender.ready().await.map_err(lost("waiting for the connection"))?;
        let mut request = Request::get(&asked.target).header(header::HOST, address.to_string());
        if !asked.keep_alive {
            request = request.header(header::CONNECTION, "close");
        }
        let request = request.body(Empty::new()).map_err(|error| (Loss::Client, error.to_string()))?;
        let response = self.sender.send_request(request).await.map_err(lost("asking"))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(lost("reading the answer"))?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

fn lost(doing: &'static str) -> impl Fn(hyper::Error) -> (Loss, String) {
    move |error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        (Loss::of_hyper(&error), format!("{doing}: {error}{cause}"))
    }
}
