//! One connection: it asks once.

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

use super::ClientError;
use crate::api::ErrorBody;

/// The largest refusal that is read, in bytes.
const ERROR_BYTES_MAX: usize = 1024 * 1024;

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timeout {
    /// So long.
    After(Duration),
    /// Until the connection breaks.
    Never,
}

/// One connection to the socket. Dropping it closes it.
pub(super) struct Connection<'a> {
    path: &'a Path,
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// The task that moves the bytes. It ends with this.
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
        // An error of the connection is also one of the request, and is told there.
        let driver = Driver(tokio::spawn(async move { drop(connection.await) }));
        Ok(Connection { path, sender, driver })
    }

    /// Sends the request, and reads the whole answer. A refusal is an error.
    pub(super) async fn answer(
        &mut self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Bytes, ClientError> {
        let response = self.send(request).await?;
        self.collect(response, bytes_max).await
    }

    /// Sends the request, and leaves the body of the answer to be read. A refusal is an error.
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
            // HTTP/1.1 asks for one; who is meant is plain already.
            .header(header::HOST, "segue")
            .body(Full::new(body))
            .map_err(|error| self.protocol(format!("the request cannot be written: {error}")))
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let response = self.sender.send_request(request).await.map_err(|source| self.broken(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.collect(response, ERROR_BYTES_MAX).await?;
        Err(self.refused(status, &body))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => ClientError::Refused { error: Box::new(error), status },
            Err(_) => self.protocol(format!("status {status} without an error object")),
        }
    }

    async fn collect(&self, response: Response<Incoming>, bytes_max: usize) -> Result<Bytes, ClientError> {
        match Limited::new(response.into_body(), bytes_max).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(source) => Err(self.broken(*source)),
                Err(_) => Err(self.protocol(format!("the answer is larger than {bytes_max} bytes"))),
            },
        }
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::ConnectionLost { path: self.path.to_owned(), source }
    }

    fn protocol(&self, what: String) -> ClientError {
        ClientError::Protocol { path: self.path.to_owned(), what }
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
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let Timeout::After(after) = self else { return answer.await };
        match time::timeout(after, answer).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::TimedOut { path: path.to_owned(), after }),
        }
    }
}
