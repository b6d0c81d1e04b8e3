//! `GET /v1/events`: the events of the ledger, and then new ones, as server-sent events.
//!
//! An event's id is its sequence number, its name is the record's `event`, and its data is the record.
//! `?from=N` starts the stream at N. `Last-Event-ID: N` starts it after N; standard clients of server-sent
//! events send this header when they reconnect. Sequence numbers continue across restarts of the runtime.
//! Without either, the stream starts at the first event in the ledger. `?follow=false` ends it after the last
//! event instead of waiting for more.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract,
    response::{IntoResponse, Response, Sse, sse},
};
use futures_util::{Stream, stream};
use http::HeaderMap;
use segue::{NextEvent, Record, Runtime, Subscription};
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task,
};

use crate::server::{api_error::ApiError, event_bridge::EventSignal, extract::Params, state::State};

/// How long a stream is silent before it sends a comment as a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The most events that are read from the ledger at a time.
const BATCH_EVENTS_MAX: usize = 256;

/// The query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsParams {
    from: Option<u64>,
    follow: Option<bool>,
}

/// One stream, and its position.
struct Reader {
    /// `None` if the thread that read from it panicked.
    events: Option<Subscription>,
    /// Read from the ledger, and not sent yet.
    pending: VecDeque<Record>,
    stop_at: StopAt,
    event_signal: watch::Receiver<EventSignal>,
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopAt {
    /// After the last event in the ledger.
    EndOfLedger,
    /// When the runtime or this server stops.
    Shutdown,
}

pub(super) async fn events(
    extract::State(state): extract::State<State>,
    Params(params): Params<EventsParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let permit = state.event_stream_permit()?;
    let event_signal = state.event_signal.clone();
    let last_event_id = last_event_id(&headers)?;
    let events = state
        .query(move |runtime| {
            let first = first_seq(last_event_id, params.from, runtime)?;
            Ok(runtime.events().from(first))
        })
        .await?;
    let reader = Reader {
        events: Some(events),
        pending: VecDeque::new(),
        stop_at: if params.follow.unwrap_or(true) { StopAt::Shutdown } else { StopAt::EndOfLedger },
        event_signal,
        closing: state.closing.clone(),
        _permit: permit,
    };
    Ok(Sse::new(reader.into_stream()).keep_alive(sse::KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// The sequence number of the last event that the client has received.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    match value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(seq) => Ok(Some(seq)),
        None => {
            Err(ApiError::bad_request("invalid Last-Event-ID: send the id of an event, a decimal number"))
        }
    }
}

/// The sequence number to start with.
fn first_seq(last_event_id: Option<u64>, from: Option<u64>, runtime: &Runtime) -> Result<u64, segue::Error> {
    let Some(received) = last_event_id else { return Ok(from.unwrap_or(0)) };
    let last = runtime.history(None, 1)?.last().map_or(0, |record| record.seq);
    // A number beyond the last event comes from a runtime with another state directory. The client has seen
    // no event of this one.
    Ok(if received > last { 0 } else { received + 1 })
}

// === impl Reader ===

impl Reader {
    fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut reader| async move {
            let record = reader.next().await?;
            Some((Ok(message(&record)), reader))
        })
    }

    async fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.pending.pop_front() {
                return Some(record);
            }
            // Mark the signal as seen before reading: an event in between signals again.
            let ended = *self.event_signal.borrow_and_update() == EventSignal::Closed;
            self.fill_pending().await?;
            if !self.pending.is_empty() {
                continue;
            }
            if ended || self.stop_at == StopAt::EndOfLedger {
                return None;
            }
            tokio::select! {
                changed = self.event_signal.changed() => changed.ok()?,
                _ = self.closing.wait_for(|closing| *closing) => return None,
            }
        }
    }

    /// Reads the next events on a thread outside the reactor, because they may come from disk.
    async fn fill_pending(&mut self) -> Option<()> {
        let mut events = self.events.take()?;
        let read = task::spawn_blocking(move || {
            let mut records = VecDeque::new();
            while records.len() < BATCH_EVENTS_MAX
                && let NextEvent::Event(record) = events.next(Duration::ZERO)
            {
                records.push_back(record);
            }
            (events, records)
        });
        let (events, records) = read.await.ok()?;
        self.events = Some(events);
        self.pending = records;
        Some(())
    }
}

fn message(record: &Record) -> sse::Event {
    let data = serde_json::to_value(record).expect("a record serializes to JSON");
    let name = data["event"].as_str().expect("a record has the field event").to_owned();
    sse::Event::default().id(record.seq.to_string()).event(name).data(data.to_string())
}
