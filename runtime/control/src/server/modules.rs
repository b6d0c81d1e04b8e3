//! `/v1/modules`: the loaded modules, and the commands on one module.

use std::time::Duration;

use axum::{Json, extract};
use segue::{Confirmed, Deleted, ModuleStatus, Pins, Purged, RolledBack, Stickiness};

use crate::{
    api::PurgeRequest,
    server::{
        api_error::ApiError,
        extract::{Name, OptionalJsonBody, deadline},
        request_context::CommandContext,
        state::State,
    },
};

/// How long a purge waits if the request sets no deadline.
const PURGE_DEADLINE_DEFAULT: Duration = Duration::from_secs(5);

pub(super) async fn list(
    extract::State(state): extract::State<State>,
) -> Result<Json<Vec<ModuleStatus>>, ApiError> {
    state.query(|runtime| Ok(runtime.modules())).await.map(Json)
}

pub(super) async fn status(
    extract::State(state): extract::State<State>,
    Name(name): Name,
) -> Result<Json<ModuleStatus>, ApiError> {
    state.query(move |runtime| runtime.status(&name)).await.map(Json)
}

pub(super) async fn pins(
    extract::State(state): extract::State<State>,
    Name(name): Name,
) -> Result<Json<Pins>, ApiError> {
    state.query(move |runtime| runtime.pins(&name)).await.map(Json)
}

pub(super) async fn rollback(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
) -> Result<Json<RolledBack>, ApiError> {
    state.command(context, move |runtime| runtime.rollback(&name)).await.map(Json)
}

pub(super) async fn soft_purge(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
) -> Result<Json<Purged>, ApiError> {
    state.command(context, move |runtime| runtime.soft_purge(&name)).await.map(Json)
}

/// A passed deadline is not an error: the response has `purged: false` and lists what keeps the version.
pub(super) async fn purge(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
    OptionalJsonBody(request): OptionalJsonBody<PurgeRequest>,
) -> Result<Json<Purged>, ApiError> {
    let deadline = deadline(request.deadline_ms, &state.limits)?.unwrap_or(PURGE_DEADLINE_DEFAULT);
    state.command(context, move |runtime| runtime.purge(&name, deadline)).await.map(Json)
}

pub(super) async fn confirm(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
) -> Result<Json<Confirmed>, ApiError> {
    state.command(context, move |runtime| runtime.confirm(&name)).await.map(Json)
}

pub(super) async fn delete(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
) -> Result<Json<Deleted>, ApiError> {
    state.command(context, move |runtime| runtime.delete(&name)).await.map(Json)
}

pub(super) async fn stick(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
) -> Result<Json<Stickiness>, ApiError> {
    state.command(context, move |runtime| runtime.stick(&name)).await.map(Json)
}

pub(super) async fn unstick(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(name): Name,
) -> Result<Json<Stickiness>, ApiError> {
    state.command(context, move |runtime| runtime.unstick(&name)).await.map(Json)
}
