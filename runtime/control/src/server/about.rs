//! `GET /healthz` and `GET /openapi.json`: the server about itself.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::header;

use super::OPENAPI;
use crate::api::Health;

pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok".to_owned() })
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
