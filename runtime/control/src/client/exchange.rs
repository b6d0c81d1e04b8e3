//! Sends requests, and sends a command again if the connection breaks.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::{Serialize, de::DeserializeOwned};

use crate::client::{
    Client,
    connection::{Connection, QUERY_TIMEOUT, Timeout},
    error::ClientError,
    idempotency_key,
};

/// The header with a command's idempotency key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How long to wait beyond a command's deadline: the server has work to do after it, and the response takes
/// time.
const COMMAND_MARGIN: Duration = Duration::from_secs(60);

/// The largest response that is read, in bytes. Thousands of modules fit.
const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;

// === impl Client ===

impl Client {
    pub(super) async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, ClientError> {
        self.exchange(Method::GET, path, Bytes::new(), QUERY_TIMEOUT).await
    }

    /// Posts a command that may take until its deadline. The body `()` sends none.
    pub(super) async fn post<R: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        deadline: Duration,
    ) -> Result<R, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| self.protocol(format!("cannot serialize the request: {error}")))?;
        let body = if body == b"null" { Bytes::new() } else { Bytes::from(body) };
        let timeout = Timeout::After(deadline.saturating_add(COMMAND_MARGIN));
        let key = idempotency_key::new();
        let send = async || {
            let mut connection = Connection::open(&self.path).await?;
            let mut request = connection.request(Method::POST, path, body.clone())?;
            let value = HeaderValue::from_str(&key).map_err(|error| self.protocol(error.to_string()))?;
            request.headers_mut().insert(IDEMPOTENCY_KEY, value);
            timeout.wait(&self.path, connection.fetch(request, RESPONSE_BYTES_MAX)).await
        };
        let response = match send().await {
            // The command may have run. With the same key it runs at most once, and a retry gets the stored
            // answer.
            Err(lost @ ClientError::ConnectionLost { .. }) => match send().await {
                Err(ClientError::Unreachable { .. }) => Err(lost),
                retried => retried,
            },
            first => first,
        };
        self.parse(&response?)
    }

    pub(super) async fn exchange<R: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Timeout,
    ) -> Result<R, ClientError> {
        self.parse(&self.bytes(method, path, body, timeout).await?)
    }

    fn parse<R: DeserializeOwned>(&self, response: &[u8]) -> Result<R, ClientError> {
        serde_json::from_slice(response)
            .map_err(|error| self.protocol(format!("cannot parse the response: {error}")))
    }

    pub(super) async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Timeout,
    ) -> Result<Bytes, ClientError> {
        let mut connection = Connection::open(&self.path).await?;
        let request = connection.request(method, path, body)?;
        timeout.wait(&self.path, connection.fetch(request, RESPONSE_BYTES_MAX)).await
    }

    pub(super) fn protocol(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Protocol { path: self.path.clone(), reason: reason.into() }
    }
}
