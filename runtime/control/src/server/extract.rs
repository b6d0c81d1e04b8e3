//! Reads requests, with limits on size and time. Errors are error objects.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time;

use crate::{
    Limits,
    server::{api_error::ApiError, state::State},
};

/// A JSON body.
///
/// The content type is not checked. `curl -d` sends another one, and the check would only protect against
/// browsers, which cannot reach this socket.
pub(super) struct JsonBody<T>(pub(super) T);

/// An optional JSON body.
pub(super) struct OptionalJsonBody<T>(pub(super) T);

/// The parameter in the path: a module's name or a file's digest.
pub(super) struct Name(pub(super) String);

/// The query parameters.
pub(super) struct Params<T>(pub(super) T);

// === impl JsonBody ===

impl<T: DeserializeOwned> FromRequest<State> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let body = read_body(request, state.limits.json_bytes_max, &state.limits).await?;
        parse(&body).map(JsonBody)
    }
}

// === impl OptionalJsonBody ===

impl<T: DeserializeOwned + Default> FromRequest<State> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let body = read_body(request, state.limits.json_bytes_max, &state.limits).await?;
        if body.is_empty() {
            return Ok(OptionalJsonBody(T::default()));
        }
        parse(&body).map(OptionalJsonBody)
    }
}

// === impl Name ===

impl FromRequestParts<State> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Name(name)),
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

// === impl Params ===

impl<T: DeserializeOwned> FromRequestParts<State> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("cannot parse the body: {error}")))
}

/// The deadline of a request.
pub(super) fn deadline(deadline_ms: Option<u64>, limits: &Limits) -> Result<Option<Duration>, ApiError> {
    duration("deadline_ms", deadline_ms, limits.deadline_max)
}

/// A duration in milliseconds, with an upper limit.
pub(super) fn duration(
    field: &str,
    millis: Option<u64>,
    max: Duration,
) -> Result<Option<Duration>, ApiError> {
    match millis.map(Duration::from_millis) {
        Some(duration) if duration > max => {
            Err(ApiError::bad_request(format!("{field} exceeds the limit of {} ms", max.as_millis())))
        }
        duration => Ok(duration),
    }
}

/// Reads the complete body.
pub(super) async fn read_body(
    request: Request,
    bytes_max: usize,
    limits: &Limits,
) -> Result<Bytes, ApiError> {
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    while let Some(data) = next_data(&mut body, limits).await? {
        if bytes.len() + data.len() > bytes_max {
            discard(body, limits).await;
            return Err(ApiError::too_large(bytes_max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Reads and drops the rest of a body, for a limited time. A client that is still sending does not read the
/// response yet; without this it would only see a broken connection.
async fn discard(mut body: Body, limits: &Limits) {
    let rest = async { while let Ok(Some(_)) = next_data(&mut body, limits).await {} };
    if time::timeout(limits.body_idle_timeout, rest).await.is_err() {
        tracing::debug!("stopped reading a body that exceeds its limit");
    }
}

async fn next_data(body: &mut Body, limits: &Limits) -> Result<Option<Bytes>, ApiError> {
    loop {
        match time::timeout(limits.body_idle_timeout, body.frame()).await {
            Err(_) => {
                let seconds = limits.body_idle_timeout.as_secs_f64();
                return Err(ApiError::bad_request(format!(
                    "timed out after {seconds} s waiting for more of the body"
                )));
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(ApiError::bad_request(format!("cannot read the body: {error}")));
            }
            // Trailers are ignored.
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
