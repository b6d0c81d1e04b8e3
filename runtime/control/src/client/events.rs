//! The client's side of an event stream.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use segue::Record;

use crate::client::{
    connection::{Connection, Driver, QUERY_TIMEOUT},
    error::ClientError,
    event_parser::EventParser,
};

/// Where a stream of events ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After the last event in the ledger.
    Recorded,
    /// When the server stops. The stream waits for new events.
    Follow,
}

/// A stream of a runtime's events. Dropping it closes the connection.
pub struct EventStream {
    path: PathBuf,
    body: Incoming,
    parser: EventParser,
    _driver: Driver,
}

// === impl Extent ===

impl Extent {
    pub(super) fn follow(self) -> bool {
        self == Extent::Follow
    }
}

// === impl EventStream ===

impl EventStream {
    pub(super) async fn open(socket: &Path, path: &str, last_seq: Option<u64>) -> Result<Self, ClientError> {
        let connection = Connection::open(socket).await?;
        let mut request = connection.request(Method::GET, path, Bytes::new())?;
        if let Some(seq) = last_seq {
            request.headers_mut().insert("last-event-id", HeaderValue::from(seq));
        }
        let (body, driver) = QUERY_TIMEOUT.wait(socket, connection.stream(request)).await?;
        Ok(EventStream { path: socket.to_owned(), body, parser: EventParser::default(), _driver: driver })
    }

    /// The next event, or `None` when the stream has ended.
    ///
    /// # Errors
    ///
    /// [`ClientError::ConnectionLost`] if the connection breaks. [`ClientError::Protocol`] if an event cannot
    /// be parsed.
    pub async fn next(&mut self) -> Result<Option<Record>, ClientError> {
        loop {
            if let Some(data) = self.parser.next() {
                let record = serde_json::from_str(&data);
                return record
                    .map(Some)
                    .map_err(|error| self.protocol(format!("cannot parse an event: {error}")));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame =
                frame.map_err(|source| ClientError::ConnectionLost { path: self.path.clone(), source })?;
            if let Ok(bytes) = frame.into_data() {
                self.parser.push(&bytes).map_err(|error| self.protocol(error.to_string()))?;
            }
        }
    }

    fn protocol(&self, reason: String) -> ClientError {
        ClientError::Protocol { path: self.path.clone(), reason }
    }
}
