//! `/v1/blocked`: the blocked files, which no load accepts.

use axum::{Json, extract};
use segue::{BlockedFile, Digest, Unblocked};

use crate::server::{api_error::ApiError, extract::Name, request_context::CommandContext, state::State};

pub(super) async fn list(
    extract::State(state): extract::State<State>,
) -> Result<Json<Vec<BlockedFile>>, ApiError> {
    state.query(|runtime| runtime.blocked()).await.map(Json)
}

pub(super) async fn unblock(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    Name(digest): Name,
) -> Result<Json<Unblocked>, ApiError> {
    let digest: Digest = digest
        .parse()
        .map_err(|error| ApiError::bad_request(format!("{digest:?} is not a SHA-256 digest: {error}")))?;
    state.command(context, move |runtime| runtime.unblock(&digest)).await.map(Json)
}
