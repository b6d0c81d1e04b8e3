//! One connection to the socket, for one request.

use std::{future::Future, path::Path, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, task::JoinHandle, time};

use crate::{api::ErrorBody, client::error::ClientError};

/// How long the response to a query may take.
pub(super) const QUERY_TIMEOUT: Timeout = Timeout::After(Duration::from_secs(30));

/// The largest error response that is read, in bytes.
const ERROR_BYTES_MAX: usize = 1024 * 1024;

/// How long to wait for a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timeout {
    /// For this long.
    After(Duration),
    /// Until it arrives or the connection breaks.
    Never,
}

/// One connection to the socket. Dropping it closes the connection.
pub(super) struct Connection<'a> {
    path: &'a Path,
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// The task that sends and receives the connection's bytes. Dropping this aborts it.
pub(super) struct Driver(JoinHandle<()>);

// === impl Connection ===

impl<'a> Connection<'a> {
    pub(super) async fn open(path: &'a Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(|source| ClientError::Unreachable { path: path.to_owned(), source })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| ClientError::ConnectionLost { path: path.to_owned(), source })?;
        // The request reports the connection's error too.
        let driver = Driver(tokio::spawn(async move { drop(connection.await) }));
        Ok(Connection { path, sender, driver })
    }

    /// Sends the request and reads the whole response. An error response is an `Err`.
    pub(super) async fn fetch(
        &mut self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Bytes, ClientError> {
        let response = self.send(request).await?;
        self.collect(response, bytes_max).await
    }

    /// Sends the request and returns the response's body unread. An error response is an `Err`.
    pub(super) async fn stream(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Incoming, Driver), ClientError> {
        let response = self.send(request).await?;
        Ok((response.into_body(), self.driver))
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        Request::builder()
            .method(method)
            .uri(path)
            // HTTP/1.1 requires the header. The server ignores its value.
            .header(header::HOST, "segue")
            .body(Full::new(body))
            .map_err(|error| self.protocol(format!("cannot build the request: {error}")))
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let response = self.sender.send_request(request).await.map_err(|source| self.lost(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.collect(response, ERROR_BYTES_MAX).await?;
        Err(self.error_response(status, &body))
    }

    fn error_response(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => ClientError::Refused { error: Box::new(error), status },
            Err(_) => self.protocol(format!("status {status} without an error object")),
        }
    }

    async fn collect(&self, response: Response<Incoming>, bytes_max: usize) -> Result<Bytes, ClientError> {
        match Limited::new(response.into_body(), bytes_max).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(source) => Err(self.lost(*source)),
                Err(_) => Err(self.protocol(format!("the response exceeds {bytes_max} bytes"))),
            },
        }
    }

    fn lost(&self, source: hyper::Error) -> ClientError {
        ClientError::ConnectionLost { path: self.path.to_owned(), source }
    }

    fn protocol(&self, reason: String) -> ClientError {
        ClientError::Protocol { path: self.path.to_owned(), reason }
    }
}

// === impl Driver ===

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Timeout ===

impl Timeout {
    pub(super) async fn wait<T>(
        self,
        path: &Path,
        response: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let Timeout::After(after) = self else { return response.await };
        match time::timeout(after, response).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::TimedOut { path: path.to_owned(), after }),
        }
    }
}
