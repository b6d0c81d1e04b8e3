//! The client: one method per request.
//! A line belongs here if it sends a request or reads a response.
//! Never use `server`, `socket` or `limits` here.

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

use crate::{
    api::{Health, LoadRequest, LoadResponse, PurgeRequest, PutImageResponse},
    client::connection::{QUERY_TIMEOUT, Timeout},
};

pub use error::ClientError;
pub use events::{EventStream, Extent};

/// The characters that are percent-encoded in a module's name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of one control socket. It is cheap to create and clone; each request opens its own connection.
///
/// Each command has its own idempotency key. If the connection breaks after a command was sent, the client
/// sends it once more with the same key. The command runs at most once, and the response is that of the run.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

// === impl Client ===

impl Client {
    /// A client of the socket at this path. It connects on the first request.
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
    /// [`ClientError::Unreachable`] if no runtime listens on the socket. [`ClientError::ConnectionLost`] or
    /// [`ClientError::TimedOut`] if it does not respond. [`ClientError::Refused`] if it refuses the request.
    /// [`ClientError::Protocol`] if the response cannot be parsed. This is the same for all methods.
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

    /// What keeps a module's old and quarantined versions in memory.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn pins(&self, module: &str) -> Result<Pins, ClientError> {
        self.get(&module_path(module, "/pins")).await
    }

    /// Uploads the bytes of a `.so` file, for a later load by digest.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn put_image(&self, bytes: impl Into<Bytes>) -> Result<Digest, ClientError> {
        let response: PutImageResponse =
            self.exchange(Method::PUT, "/v1/images", bytes.into(), Timeout::Never).await?;
        Ok(response.digest)
    }

    /// Loads files and makes them current, either all or none.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules). If several files are refused, the error object has one member for
    /// each.
    pub async fn load(&self, request: &LoadRequest) -> Result<LoadResponse, ClientError> {
        let deadline =
            request.deadline_ms.map_or(segue::LoadOptions::default().deadline, Duration::from_millis);
        self.post("/v1/load", request, deadline).await
    }

    /// Makes the previous version current again. If it is no longer in memory, it is loaded from the store.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn rollback(&self, module: &str) -> Result<RolledBack, ClientError> {
        let deadline = segue::LoadOptions::default().deadline;
        self.post(&module_path(module, "/rollback"), &(), deadline).await
    }

    /// Confirms the current version: its trial ends, and a restart returns to it. The response has
    /// `confirmed: false` if there was no trial.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn confirm(&self, module: &str) -> Result<Confirmed, ClientError> {
        self.post(&module_path(module, "/confirm"), &(), Duration::ZERO).await
    }

    /// Makes the current version old without a new current version. The response has `deleted: false` if
    /// there was no current version.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn delete(&self, module: &str) -> Result<Deleted, ClientError> {
        let deadline = segue::LoadOptions::default().deadline;
        self.post(&module_path(module, "/delete"), &(), deadline).await
    }

    /// Makes the module sticky: it is not replaced and not deleted.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn stick(&self, module: &str) -> Result<Stickiness, ClientError> {
        self.post(&module_path(module, "/stick"), &(), Duration::ZERO).await
    }

    /// Makes the module not sticky: it may be replaced again.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn unstick(&self, module: &str) -> Result<Stickiness, ClientError> {
        self.post(&module_path(module, "/unstick"), &(), Duration::ZERO).await
    }

    /// The blocked files, which no load accepts.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn blocked(&self) -> Result<Vec<BlockedFile>, ClientError> {
        self.get("/v1/blocked").await
    }

    /// Unblocks a file: it may be loaded again. The response has `unblocked: false` if it was not blocked.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn unblock(&self, digest: &Digest) -> Result<Unblocked, ClientError> {
        self.post(&format!("/v1/blocked/{digest}/unblock"), &(), Duration::ZERO).await
    }

    /// Unloads the old version if no call is inside. The response says whether it was unloaded.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn soft_purge(&self, module: &str) -> Result<Purged, ClientError> {
        self.post(&module_path(module, "/soft_purge"), &(), Duration::ZERO).await
    }

    /// Asks the calls inside the old version to end, waits for them until the deadline, and unloads the
    /// version. If calls are still inside at the deadline, the version is quarantined and the response has
    /// `purged: false`.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn purge(&self, module: &str, deadline: Duration) -> Result<Purged, ClientError> {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.post(&module_path(module, "/purge"), &PurgeRequest { deadline_ms: Some(deadline_ms) }, deadline)
            .await
    }

    /// The last events in the ledger, in order, of one module or of all.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn history(&self, module: Option<&str>, limit: usize) -> Result<Vec<Record>, ClientError> {
        let mut path = format!("/v1/history?limit={limit}");
        if let Some(module) = module {
            path.push_str(&format!("&module={}", utf8_percent_encode(module, ENCODED)));
        }
        self.get(&path).await
    }

    /// The events from sequence number `from` on. 0 starts at the first event in the ledger.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn events(&self, from: u64, extent: Extent) -> Result<EventStream, ClientError> {
        let path = format!("/v1/events?from={from}&follow={}", extent.follow());
        EventStream::open(&self.path, &path, None).await
    }

    /// The events after sequence number `last_seq`, the last one that was read before the connection broke.
    /// Sequence numbers continue across restarts of the runtime. If the runtime has another state directory
    /// since then, its numbers start at 1 again, and the stream starts at the first event.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn events_after(&self, last_seq: u64, extent: Extent) -> Result<EventStream, ClientError> {
        let path = format!("/v1/events?follow={}", extent.follow());
        EventStream::open(&self.path, &path, Some(last_seq)).await
    }

    /// The metrics, in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let bytes = self.bytes(Method::GET, "/metrics", Bytes::new(), QUERY_TIMEOUT).await?;
        String::from_utf8(bytes.into()).map_err(|_| self.protocol("the metrics are not UTF-8"))
    }

    /// Checks that the runtime responds.
    ///
    /// # Errors
    ///
    /// See [`modules`](Self::modules).
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get("/healthz").await
    }
}

fn module_path(module: &str, rest: &str) -> String {
    format!("/v1/modules/{}{rest}", utf8_percent_encode(module, ENCODED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_stays_one_path_segment() {
        assert_eq!(module_path("greeter", ""), "/v1/modules/greeter");
        assert_eq!(module_path("a/b?c d", "/purge"), "/v1/modules/a%2Fb%3Fc%20d/purge");
        assert_eq!(module_path("ä", ""), "/v1/modules/%C3%A4");
    }
}
