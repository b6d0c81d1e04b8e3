//! `/v1/modules`: what is loaded, and the commands on one module.

use std::time::Duration;

use axum::{Json, extract};
use segue::{Confirmed, Deleted, ModuleStatus, Pins, Purged, RolledBack, Stickiness};

use super::{
    asked::Asker,
    extract::{Name, OptionalJsonBody, deadline},
    refusal::Refusal,
    state::State,
};
use crate::api::PurgeRequest;

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
    Asker(asked): Asker,
    Name(name): Name,
) -> Result<Json<RolledBack>, Refusal> {
    state.command(asked, move |runtime| runtime.rollback(&name)).await.map(Json)
}

pub(super) async fn soft_purge(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(name): Name,
) -> Result<Json<Purged>, Refusal> {
    state.command(asked, move |runtime| runtime.soft_purge(&name)).await.map(Json)
}

/// A deadline that passes is no refusal: the answer says `purged: false`, and what lingers.
pub(super) async fn purge(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(name): Name,
    OptionalJsonBody(request): OptionalJsonBody<PurgeRequest>,
) -> Result<Json<Purged>, Refusal> {
    let deadline = deadline(request.deadline_ms, &state.limits)?.unwrap_or(PURGE_DEADLINE);
    state.command(asked, move |runtime| runtime.purge(&name, deadline)).await.map(Json)
}

pub(super) async fn confirm(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(name): Name,
) -> Result<Json<Confirmed>, Refusal> {
    state.command(asked, move |runtime| runtime.confirm(&name)).await.map(Json)
}

pub(super) async fn delete(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(name): Name,
) -> Result<Json<Deleted>, Refusal> {
    state.command(asked, move |runtime| runtime.delete(&name)).await.map(Json)
}

pub(super) async fn stick(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(name): Name,
) -> Result<Json<Stickiness>, Refusal> {
    state.command(asked, move |runtime| runtime.stick(&name)).await.map(Json)
}

pub(super) async fn unstick(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(name): Name,
) -> Result<Json<Stickiness>, Refusal> {
    state.command(asked, move |runtime| runtime.unstick(&name)).await.map(Json)
}
