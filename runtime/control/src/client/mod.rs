//! The client: one method for each request.

mod connection;
mod error;
mod event_parser;
mod events;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use segue::{Digest, ModuleStatus, Pins, Purged, RolledBack};
use serde::{Serialize, de::DeserializeOwned};

use crate::api::{Health, ImageAnswer, LoadAnswer, LoadRequest, PurgeRequest};
use connection::{Connection, Patience};

pub use error::ClientError;
pub use events::{EventStream, Extent};

/// How long an answer may take that the server has at hand.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);

/// How much longer than its deadline a command may take: what the server does after it, and the way back.
const COMMAND_MARGIN: Duration = Duration::from_secs(60);

/// The largest answer that is taken, in bytes: thousands of modules fit.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a module's name may hold without being encoded.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of one control socket. Cheap; each request is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

// === impl Client ===

impl Client {
    /// A client of the socket at this path. It connects when it is asked for something.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Client { path: path.into() }
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All modules, sorted by name.
    ///
    /// # Errors
    ///
    /// As all methods here: [`ClientError::Unreachable`] where nobody answers, [`ClientError::Refused`] where the runtime
    /// says no, [`ClientError::Protocol`] where the answer is not understood.
    pub async fn modules(&self) -> Result<Vec<ModuleStatus>, ClientError> {
        self.get("/v1/modules").await
    }

    /// One module.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn status(&self, module: &str) -> Result<ModuleStatus, ClientError> {
        self.get(&module_path(module, "")).await
    }

    /// Who holds the versions of a module that are to leave memory.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn pins(&self, module: &str) -> Result<Pins, ClientError> {
        self.get(&module_path(module, "/pins")).await
    }

    /// Hands over the bytes of a `.so`, for a load by digest.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn put_image(&self, bytes: impl Into<Bytes>) -> Result<Digest, ClientError> {
        let answer: ImageAnswer =
            self.exchange(Method::PUT, "/v1/images", bytes.into(), Patience::Endless).await?;
        Ok(answer.digest)
    }

    /// Makes a file current.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn load(&self, request: &LoadRequest) -> Result<LoadAnswer, ClientError> {
        let deadline =
            request.deadline_ms.map_or(segue::LoadOptions::default().deadline, Duration::from_millis);
        self.post("/v1/load", request, deadline).await
    }

    /// Makes old current again.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn rollback(&self, module: &str) -> Result<RolledBack, ClientError> {
        self.post(&module_path(module, "/rollback"), &(), Duration::ZERO).await
    }

    /// Takes old out of memory if nobody is inside. Whether it is gone, the answer says.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn soft_purge(&self, module: &str) -> Result<Purged, ClientError> {
        self.post(&module_path(module, "/soft_purge"), &(), Duration::ZERO).await
    }

    /// Asks the calls inside old to come to their end, and takes it out of memory when they have. Whether they did before the
    /// deadline, the answer says; where they did not, old is in quarantine.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn purge(&self, module: &str, deadline: Duration) -> Result<Purged, ClientError> {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.post(&module_path(module, "/purge"), &PurgeRequest { deadline_ms: Some(deadline_ms) }, deadline)
            .await
    }

    /// What happened, from event number `from` on (0 for everything that is kept).
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn events(&self, from: u64, extent: Extent) -> Result<EventStream, ClientError> {
        let path = format!("/v1/events?from={from}&follow={}", extent.follow());
        EventStream::open(&self.path, &path, None).await
    }

    /// What happened after event number `last_seq`, which was read before the connection broke. Where the runtime was
    /// restarted since, and counts from 1 again, everything that is kept.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn events_after(&self, last_seq: u64, extent: Extent) -> Result<EventStream, ClientError> {
        let path = format!("/v1/events?follow={}", extent.follow());
        EventStream::open(&self.path, &path, Some(last_seq)).await
    }

    /// The metrics, as Prometheus reads them.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let bytes = self.bytes(Method::GET, "/metrics", Bytes::new(), Patience::For(LOOK_PATIENCE)).await?;
        String::from_utf8(bytes.into()).map_err(|_| self.protocol("the metrics are not text"))
    }

    /// Whether the runtime answers.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get("/healthz").await
    }

    async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, ClientError> {
        self.exchange(Method::GET, path, Bytes::new(), Patience::For(LOOK_PATIENCE)).await
    }

    /// Posts a command that may take until its deadline. `()` is no body.
    async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        deadline: Duration,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| self.protocol(format!("the request cannot be written: {error}")))?;
        let body = if body == b"null" { Bytes::new() } else { Bytes::from(body) };
        self.exchange(Method::POST, path, body, Patience::For(deadline.saturating_add(COMMAND_MARGIN))).await
    }

    async fn exchange<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Patience,
    ) -> Result<A, ClientError> {
        let bytes = self.bytes(method, path, body, patience).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.protocol(format!("the answer is not understood: {error}")))
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Patience,
    ) -> Result<Bytes, ClientError> {
        let mut connection = Connection::open(&self.path).await?;
        patience.wait(&self.path, connection.answer(method, path, body, ANSWER_BYTES_MAX)).await
    }

    fn protocol(&self, what: impl Into<String>) -> ClientError {
        ClientError::Protocol { path: self.path.clone(), what: what.into() }
    }
}

fn module_path(module: &str, rest: &str) -> String {
    format!("/v1/modules/{}{rest}", utf8_percent_encode(module, NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_person_types_stays_one_name() {
        assert_eq!(module_path("greeter", ""), "/v1/modules/greeter");
        assert_eq!(module_path("a/b?c d", "/purge"), "/v1/modules/a%2Fb%3Fc%20d/purge");
        assert_eq!(module_path("ä", ""), "/v1/modules/%C3%A4");
    }
}
