//! `GET /v1/events`: what happened, as server-sent events.
//!
//! Each event's id is its number, its name is the record's `event`, its data is the record. `Last-Event-ID: N` goes on
//! after N, as a browser's `EventSource` and any other client of such streams does by itself; `?from=N` begins with N;
//! without either everything that is kept is told. `?follow=false` ends the stream there instead of waiting for more.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract,
    response::{IntoResponse, Response, Sse, sse},
};
use futures_util::{Stream, stream};
use http::HeaderMap;
use segue::{Events, Record};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{extract::Params, news::News, refusal::Refusal, state::State};

/// How often a quiet stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a request may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsParams {
    from: Option<u64>,
    follow: Option<bool>,
}

/// A reader, and how far it has come.
struct Reader {
    events: Events,
    next_seq: u64,
    /// Taken from what is kept, and not told yet.
    pending: VecDeque<Record>,
    stop_at: StopAt,
    news: watch::Receiver<News>,
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopAt {
    /// After what is kept now.
    Kept,
    /// When the runtime, or this server, ends.
    TheEnd,
}

pub(super) async fn events(
    extract::State(state): extract::State<State>,
    Params(params): Params<EventsParams>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let events = state.runtime().events().clone();
    let reader = Reader {
        next_seq: first_seq(&params, &headers, &events)?,
        events,
        pending: VecDeque::new(),
        stop_at: if params.follow.unwrap_or(true) { StopAt::TheEnd } else { StopAt::Kept },
        news: state.news.clone(),
        closing: state.closing.clone(),
        _permit: state.follow()?,
    };
    Ok(Sse::new(reader.into_stream()).keep_alive(sse::KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// The number to begin with.
fn first_seq(params: &EventsParams, headers: &HeaderMap, events: &Events) -> Result<u64, Refusal> {
    let Some(value) = headers.get("last-event-id") else { return Ok(params.from.unwrap_or(0)) };
    match value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        // Before the first.
        Some(0) => Ok(0),
        // A number that was not reached yet was told by a runtime before this one. Its successor's events are all new.
        Some(seen) if events.kept(seen).is_empty() => Ok(0),
        Some(seen) => Ok(seen + 1),
        None => Err(Refusal::bad_request("Last-Event-ID is not the number of an event")),
    }
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
                self.next_seq = record.seq + 1;
                return Some(record);
            }
            // Marked as seen before it looks: what happens in between wakes it again.
            let ended = *self.news.borrow_and_update() == News::Ended;
            self.pending = self.events.kept(self.next_seq).into();
            if !self.pending.is_empty() {
                continue;
            }
            if ended || self.stop_at == StopAt::Kept {
                return None;
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                _ = self.closing.wait_for(|closing| *closing) => return None,
            }
        }
    }
}

fn message(record: &Record) -> sse::Event {
    let data = serde_json::to_value(record).expect("a record is made of text and numbers");
    let name = data["event"].as_str().expect("a record names its event").to_owned();
    sse::Event::default().id(record.seq.to_string()).event(name).data(data.to_string())
}
