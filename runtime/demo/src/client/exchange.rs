//! One request and its answer, over one connection.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use crate::client::loss::Loss;

/// A connection to the server.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// Reads and writes the bytes of the connection, and ends with it.
    driver: JoinHandle<Result<(), hyper::Error>>,
}

/// The target of a request, and the kind of its connection.
pub(super) struct RequestSpec {
    pub(super) target: String,
    /// Whether to keep the connection. If not, the request asks the server to close it.
    pub(super) keep_alive: bool,
}

/// The answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Sends one request, on the connection in `kept` or a new one. Puts the connection back if the client keeps
/// it.
pub(super) async fn exchange(
    address: SocketAddr,
    spec: &RequestSpec,
    kept: &mut Option<Connection>,
    limit: Duration,
) -> Result<Answer, (Loss, String)> {
    let exchange = async {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(address).await?,
        };
        let answer = connection.request(address, spec).await?;
        if spec.keep_alive {
            *kept = Some(connection);
        }
        Ok(answer)
    };
    match timeout(limit, exchange).await {
        Ok(result) => result,
        Err(_) => Err((Loss::Timeout, format!("no answer within {} s", limit.as_secs_f64()))),
    }
}

// === impl Connection ===

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, (Loss, String)> {
        let failed = |error: std::io::Error| (Loss::from_io(&error), format!("connecting: {error}"));
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        // Without this, each closed connection stays in TIME_WAIT for a minute, and thousands per second
        // would exhaust the ports of the machine. A reset loses nothing, because the answer has been read by
        // then.
        stream.set_zero_linger().map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost("opening"))?;
        Ok(Connection { sender, driver: tokio::spawn(connection) })
    }

    async fn request(&mut self, address: SocketAddr, spec: &RequestSpec) -> Result<Answer, (Loss, String)> {
        self.sender.ready().await.map_err(lost("waiting for the connection"))?;
        let mut request = Request::get(&spec.target).header(header::HOST, address.to_string());
        if !spec.keep_alive {
            request = request.header(header::CONNECTION, "close");
        }
        let request = request.body(Empty::new()).map_err(|error| (Loss::Client, error.to_string()))?;
        let response = self.sender.send_request(request).await.map_err(lost("sending the request"))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(lost("reading the answer"))?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn lost(action: &'static str) -> impl Fn(hyper::Error) -> (Loss, String) {
    move |error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        (Loss::from_hyper(&error), format!("{action}: {error}{cause}"))
    }
}
