//! How a request is read: bounded in size and in time, and refused with the error object.

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

use super::{api_error::ApiError, state::State};
use crate::Limits;

/// A JSON body.
///
/// The content type is not looked at: `curl -d` sends another one, and a browser, against which that would be a guard,
/// cannot reach this socket.
pub(super) struct JsonBody<T>(pub(super) T);

/// A JSON body that may be left out.
pub(super) struct OptionalJsonBody<T>(pub(super) T);

/// What the path names: a module, or a file's digest.
pub(super) struct Name(pub(super) String);

/// What follows the question mark.
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
        .map_err(|error| ApiError::bad_request(format!("the body is not understood: {error}")))
}

/// The deadline that a request asks for.
pub(super) fn deadline(deadline_ms: Option<u64>, limits: &Limits) -> Result<Option<Duration>, ApiError> {
    duration("deadline_ms", deadline_ms, limits.deadline_max)
}

/// A span of time in milliseconds, up to the longest that is allowed.
pub(super) fn duration(
    field: &str,
    millis: Option<u64>,
    max: Duration,
) -> Result<Option<Duration>, ApiError> {
    match millis.map(Duration::from_millis) {
        Some(span) if span > max => Err(ApiError::bad_request(format!(
            "{field} is more than {}, the longest there is",
            max.as_millis()
        ))),
        span => Ok(span),
    }
}

/// Reads a whole body.
pub(super) async fn read_body(
    request: Request,
    bytes_max: usize,
    limits: &Limits,
) -> Result<Bytes, ApiError> {
    let mut body = request.into_body();
    let mut whole = BytesMut::new();
    while let Some(data) = next_data(&mut body, limits).await? {
        if whole.len() + data.len() > bytes_max {
            discard(body, limits).await;
            return Err(ApiError::too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads what is left and drops it, for as long as an answer may take. A client that is still writing does not look for
/// an answer, and would only see that the connection broke.
async fn discard(mut body: Body, limits: &Limits) {
    let rest = async { while let Ok(Some(_)) = next_data(&mut body, limits).await {} };
    if time::timeout(limits.body_idle_timeout, rest).await.is_err() {
        tracing::debug!("a body that is too large went on, and was cut off");
    }
}

async fn next_data(body: &mut Body, limits: &Limits) -> Result<Option<Bytes>, ApiError> {
    loop {
        match time::timeout(limits.body_idle_timeout, body.frame()).await {
            Err(_) => {
                let seconds = limits.body_idle_timeout.as_secs_f64();
                return Err(ApiError::bad_request(format!("nothing more of the body came for {seconds} s")));
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(ApiError::bad_request(format!("the body could not be read: {error}")));
            }
            // Trailers are of no interest.
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
