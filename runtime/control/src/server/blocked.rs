//! `/v1/blocked`: the files that are not loaded, however they come.

use axum::{Json, extract};
use segue::{BlockedFile, Digest, Unblocked};

use super::{asked::Asker, extract::Name, refusal::Refusal, state::State};

pub(super) async fn list(
    extract::State(state): extract::State<State>,
) -> Result<Json<Vec<BlockedFile>>, Refusal> {
    state.look(|runtime| runtime.blocked()).await.map(Json)
}

pub(super) async fn unblock(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    Name(digest): Name,
) -> Result<Json<Unblocked>, Refusal> {
    let digest: Digest = digest
        .parse()
        .map_err(|error| Refusal::bad_request(format!("{digest:?} is no digest of a file: {error}")))?;
    state.command(asked, move |runtime| runtime.unblock(&digest)).await.map(Json)
}
