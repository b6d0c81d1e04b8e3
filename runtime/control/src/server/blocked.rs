//! `/v1/blocked`: the files that are not loaded, however they come.

use axum::{Json, extract};
use segue::{BlockedFile, Digest, Unblocked};

use super::{api_error::ApiError, extract::Name, request_context::CommandContext, state::State};

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
        .map_err(|error| ApiError::bad_request(format!("{digest:?} is no digest of a file: {error}")))?;
    state.command(context, move |runtime| runtime.unblock(&digest)).await.map(Json)
}
