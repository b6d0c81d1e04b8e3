//! How a request goes over the wire, and once more where that broke.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Client, ClientError, QUERY_TIMEOUT,
    connection::{Connection, Timeout},
    idempotency_key,
};

/// The header with the key of a command.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How much longer than its deadline a command may take: what the server does after it, and the way back.
const COMMAND_MARGIN: Duration = Duration::from_secs(60);

/// The largest answer that is taken, in bytes: thousands of modules fit.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

// === impl Client ===

impl Client {
    pub(super) async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, ClientError> {
        self.exchange(Method::GET, path, Bytes::new(), Timeout::After(QUERY_TIMEOUT)).await
    }

    /// Posts a command that may take until its deadline. `()` is no body.
    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        deadline: Duration,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| self.protocol(format!("the request cannot be written: {error}")))?;
        let body = if body == b"null" { Bytes::new() } else { Bytes::from(body) };
        let timeout = Timeout::After(deadline.saturating_add(COMMAND_MARGIN));
        let key = idempotency_key::new();
        let send = async || {
            let mut connection = Connection::open(&self.path).await?;
            let mut request = connection.request(Method::POST, path, body.clone())?;
            let value = HeaderValue::from_str(&key).map_err(|error| self.protocol(error.to_string()))?;
            request.headers_mut().insert(IDEMPOTENCY_KEY, value);
            timeout.wait(&self.path, connection.answer(request, ANSWER_BYTES_MAX)).await
        };
        let sent = match send().await {
            // Whether it was done is not known. Under the same key it is done once, and the answer is that of the one time.
            Err(broken @ ClientError::ConnectionLost { .. }) => match send().await {
                Err(ClientError::Unreachable { .. }) => Err(broken),
                again => again,
            },
            sent => sent,
        };
        self.parse(&sent?)
    }

    pub(super) async fn exchange<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Timeout,
    ) -> Result<A, ClientError> {
        self.parse(&self.bytes(method, path, body, timeout).await?)
    }

    fn parse<A: DeserializeOwned>(&self, answer: &[u8]) -> Result<A, ClientError> {
        serde_json::from_slice(answer)
            .map_err(|error| self.protocol(format!("the answer is not understood: {error}")))
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
        timeout.wait(&self.path, connection.answer(request, ANSWER_BYTES_MAX)).await
    }

    pub(super) fn protocol(&self, what: impl Into<String>) -> ClientError {
        ClientError::Protocol { path: self.path.clone(), what: what.into() }
    }
}
