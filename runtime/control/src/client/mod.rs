//! The client: one method for each request.

mod connection;
mod error;
mod event_parser;
mod events;
mod exchange;
mod idempotency_key;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use segue::{
    BlockedFile, Confirmed, Deleted, Digest, ModuleStatus, Pins, Purged, Record, RolledBack, Stickiness,
    Unblocked,
};

use crate::api::{Health, LoadRequest, LoadResponse, PurgeRequest, PutImageResponse};
use connection::Timeout;

pub use error::ClientError;
pub use events::{EventStream, Extent};

/// How long an answer may take that the server has at hand.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a module's name may hold without being encoded.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of one control socket. Cheap; each request is a connection of its own.
///
/// Each command carries a key of its own. Where the connection breaks after it was sent, it is sent once more with the same key, so
/// that a command that was done is not done twice, and its answer is the true one.
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
        let answer: PutImageResponse =
            self.exchange(Method::PUT, "/v1/images", bytes.into(), Timeout::Never).await?;
        Ok(answer.digest)
    }

    /// Makes files current, all or none.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules). Where several are refused, the members of the error object say why, each.
    pub async fn load(&self, request: &LoadRequest) -> Result<LoadResponse, ClientError> {
        let deadline =
            request.deadline_ms.map_or(segue::LoadOptions::default().deadline, Duration::from_millis);
        self.post("/v1/load", request, deadline).await
    }

    /// Makes the version before current again: in memory, or loaded again from the store.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn rollback(&self, module: &str) -> Result<RolledBack, ClientError> {
        let deadline = segue::LoadOptions::default().deadline;
        self.post(&module_path(module, "/rollback"), &(), deadline).await
    }

    /// Ends the trial of the current version: a restart returns to it. Whether there was a trial, the answer says.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn confirm(&self, module: &str) -> Result<Confirmed, ClientError> {
        self.post(&module_path(module, "/confirm"), &(), Duration::ZERO).await
    }

    /// Makes the current version old, without another in its place. Whether there was one, the answer says.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn delete(&self, module: &str) -> Result<Deleted, ClientError> {
        let deadline = segue::LoadOptions::default().deadline;
        self.post(&module_path(module, "/delete"), &(), deadline).await
    }

    /// From now on the module is not replaced.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn stick(&self, module: &str) -> Result<Stickiness, ClientError> {
        self.post(&module_path(module, "/stick"), &(), Duration::ZERO).await
    }

    /// The module may be replaced again.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn unstick(&self, module: &str) -> Result<Stickiness, ClientError> {
        self.post(&module_path(module, "/unstick"), &(), Duration::ZERO).await
    }

    /// The files that are not loaded, however they come.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn blocked(&self) -> Result<Vec<BlockedFile>, ClientError> {
        self.get("/v1/blocked").await
    }

    /// A file may be loaded again. Whether it was blocked, the answer says.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn unblock(&self, digest: &Digest) -> Result<Unblocked, ClientError> {
        self.post(&format!("/v1/blocked/{digest}/unblock"), &(), Duration::ZERO).await
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

    /// The last events out of the ledger, in order; of one module, or of all.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn history(&self, module: Option<&str>, limit: usize) -> Result<Vec<Record>, ClientError> {
        let mut path = format!("/v1/history?limit={limit}");
        if let Some(module) = module {
            path.push_str(&format!("&module={}", utf8_percent_encode(module, NAME)));
        }
        self.get(&path).await
    }

    /// What happened, from event number `from` on (0 for everything that the ledger has).
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn events(&self, from: u64, extent: Extent) -> Result<EventStream, ClientError> {
        let path = format!("/v1/events?from={from}&follow={}", extent.follow());
        EventStream::open(&self.path, &path, None).await
    }

    /// What happened after event number `last_seq`, which was read before the connection broke; the numbers go on when the runtime
    /// is restarted. Where it has another state directory since, and counts from 1 again, everything.
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
        let bytes = self.bytes(Method::GET, "/metrics", Bytes::new(), Timeout::After(QUERY_TIMEOUT)).await?;
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
