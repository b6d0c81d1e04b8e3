//! `GET /openapi.json`: the description of the API.

use axum::response::{IntoResponse, Response};
use http::header;

/// The description of all requests and responses, as OpenAPI 3.1 in JSON.
pub const OPENAPI: &str = include_str!("openapi.json");

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
