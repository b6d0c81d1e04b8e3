//! `GET /healthz`: whether the runtime responds.

use axum::Json;

use crate::api::Health;

pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok".to_owned() })
}
