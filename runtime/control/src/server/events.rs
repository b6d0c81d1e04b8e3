//! `GET /v1/events`: what happened, as server-sent events.
//!
//! Each event's id is its number, its name is the record's `event`, its data is the record. `Last-Event-ID: N` goes on
//! after N, as a browser's `EventSource` and any other client of such streams does by itself, also when the runtime was
//! restarted in between, for the numbers go on; `?from=N` begins with N; without either everything that the ledger has is
//! told. `?follow=false` ends the stream there instead of waiting for more.

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

use super::{api_error::ApiError, event_bridge::EventSignal, extract::Params, state::State};

/// How often a quiet stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many events are taken from the ledger at a time.
const BATCH_EVENTS_MAX: usize = 256;

/// What a request may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsParams {
    from: Option<u64>,
    follow: Option<bool>,
}

/// A reader, and how far it has come.
struct Reader {
    /// None where the thread that read it has panicked.
    events: Option<Subscription>,
    /// Taken from the ledger, and not told yet.
    pending: VecDeque<Record>,
    stop_at: StopAt,
    event_signal: watch::Receiver<EventSignal>,
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopAt {
    /// After what is kept now.
    EndOfLedger,
    /// When the runtime, or this server, ends.
    Shutdown,
}

pub(super) async fn events(
    extract::State(state): extract::State<State>,
    Params(params): Params<EventsParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let permit = state.event_stream_permit()?;
    let event_signal = state.event_signal.clone();
    let last_seen = last_seen(&headers)?;
    let events = state
        .query(move |runtime| {
            let first = first_seq(last_seen, params.from, runtime)?;
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

/// The number of the event that the client has seen last.
fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    match value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(seen) => Ok(Some(seen)),
        None => Err(ApiError::bad_request("Last-Event-ID is not the number of an event")),
    }
}

/// The number to begin with.
fn first_seq(last_seen: Option<u64>, from: Option<u64>, runtime: &Runtime) -> Result<u64, segue::Error> {
    let Some(seen) = last_seen else { return Ok(from.unwrap_or(0)) };
    let last = runtime.history(None, 1)?.last().map_or(0, |record| record.seq);
    // A number that was not reached yet was told by a runtime with another state directory, or with none. The events of this
    // one are all new.
    Ok(if seen > last { 0 } else { seen + 1 })
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
            // Marked as seen before it looks: what happens in between wakes it again.
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

    /// Takes what there is, beside the reactor: it may have to be read from the disk.
    async fn fill_pending(&mut self) -> Option<()> {
        let mut events = self.events.take()?;
        let taken = task::spawn_blocking(move || {
            let mut taken = VecDeque::new();
            while taken.len() < BATCH_EVENTS_MAX
                && let NextEvent::Event(record) = events.next(Duration::ZERO)
            {
                taken.push_back(record);
            }
            (events, taken)
        });
        let (events, taken) = taken.await.ok()?;
        self.events = Some(events);
        self.pending = taken;
        Some(())
    }
}

fn message(record: &Record) -> sse::Event {
    let data = serde_json::to_value(record).expect("a record is made of text and numbers");
    let name = data["event"].as_str().expect("a record names its event").to_owned();
    sse::Event::default().id(record.seq.to_string()).event(name).data(data.to_string())
}
