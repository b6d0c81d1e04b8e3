//! Events, one after the other.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use segue::Record;

use super::{
    ClientError, QUERY_TIMEOUT,
    connection::{Connection, Driver, Timeout},
    event_parser::EventParser,
};

/// How far a stream of events goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// To the last event that has happened.
    Recorded,
    /// On and on, until the server ends.
    Follow,
}

/// Events that a runtime tells, one after the other. Dropping it closes the connection.
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
        let opened = connection.stream(request);
        let (body, driver) = Timeout::After(QUERY_TIMEOUT).wait(socket, opened).await?;
        Ok(EventStream { path: socket.to_owned(), body, parser: EventParser::default(), _driver: driver })
    }

    /// The next event; none when the stream has ended.
    ///
    /// # Errors
    ///
    /// Where the connection breaks, or something else than events comes.
    pub async fn next(&mut self) -> Result<Option<Record>, ClientError> {
        loop {
            if let Some(data) = self.parser.next() {
                let record = serde_json::from_str(&data);
                return record
                    .map(Some)
                    .map_err(|error| self.protocol(format!("an event is not understood: {error}")));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame =
                frame.map_err(|source| ClientError::ConnectionLost { path: self.path.clone(), source })?;
            if let Ok(bytes) = frame.into_data() {
                self.parser.push(&bytes).map_err(|error| self.protocol(error.to_string()))?;
            }
        }
    }

    fn protocol(&self, what: String) -> ClientError {
        ClientError::Protocol { path: self.path.clone(), what }
    }
}
