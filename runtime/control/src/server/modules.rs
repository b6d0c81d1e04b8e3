//! `/v1/modules`: what is loaded, and the commands on one module.

use std::time::Duration;

use axum::{Json, extract};
use segue::{ModuleStatus, Pins, Purged, RolledBack};

use super::{
    extract::{Name, OptionalJsonBody},
    refusal::Refusal,
    state::State,
};
use crate::{Limits, api::PurgeRequest};

/// How long a purge waits where the request does not say.
const PURGE_DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn list(
    extract::State(state): extract::State<State>,
) -> Result<Json<Vec<ModuleStatus>>, Refusal> {
    state.look(|runtime| Ok(runtime.modules())).await.map(Json)
}

pub(super) async fn status(
    extract::State(state): extract::State<State>,
    Name(name): Name,
) -> Result<Json<ModuleStatus>, Refusal> {
    state.look(move |runtime| runtime.status(&name)).await.map(Json)
}

pub(super) async fn pins(
    extract::State(state): extract::State<State>,
    Name(name): Name,
) -> Result<Json<Pins>, Refusal> {
    state.look(move |runtime| runtime.pins(&name)).await.map(Json)
}

pub(super) async fn rollback(
    extract::State(state): extract::State<State>,
    Name(name): Name,
) -> Result<Json<RolledBack>, Refusal> {
    state.command(move |runtime| runtime.rollback(&name)).await.map(Json)
}

pub(super) async fn soft_purge(
    extract::State(state): extract::State<State>,
    Name(name): Name,
) -> Result<Json<Purged>, Refusal> {
    state.command(move |runtime| runtime.soft_purge(&name)).await.map(Json)
}

/// A deadline that passes is no refusal: the answer says `purged: false`, and what lingers.
pub(super) async fn purge(
    extract::State(state): extract::State<State>,
    Name(name): Name,
    OptionalJsonBody(request): OptionalJsonBody<PurgeRequest>,
) -> Result<Json<Purged>, Refusal> {
    let deadline = deadline(request.deadline_ms, &state.limits)?.unwrap_or(PURGE_DEADLINE);
    state.command(move |runtime| runtime.purge(&name, deadline)).await.map(Json)
}

/// The deadline that a request asks for.
pub(super) fn deadline(deadline_ms: Option<u64>, limits: &Limits) -> Result<Option<Duration>, Refusal> {
    let deadline = deadline_ms.map(Duration::from_millis);
    match deadline {
        Some(deadline) if deadline > limits.deadline_max => Err(Refusal::bad_request(format!(
            "deadline_ms is more than {}, the longest deadline",
            limits.deadline_max.as_millis()
        ))),
        deadline => Ok(deadline),
    }
}
