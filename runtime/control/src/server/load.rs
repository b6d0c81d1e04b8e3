//! `POST /v1/load`: makes a file current.

use axum::{Json, extract};
use segue::{LoadOptions, Source};

use super::{extract::JsonBody, modules::deadline, refusal::Refusal, state::State};
use crate::api::{ImageRef, LoadAnswer, LoadRequest};

pub(super) async fn load(
    extract::State(state): extract::State<State>,
    JsonBody(request): JsonBody<LoadRequest>,
) -> Result<Json<LoadAnswer>, Refusal> {
    let source = source(&request)?;
    let mut options = LoadOptions::default();
    if let Some(policy) = request.policy {
        options.policy = policy;
    }
    if let Some(deadline) = deadline(request.deadline_ms, &state.limits)? {
        options.deadline = deadline;
    }
    let loaded = state.command(move |runtime| runtime.load_with(&source, &options)).await?;
    Ok(Json(LoadAnswer { loaded: vec![loaded] }))
}

fn source(request: &LoadRequest) -> Result<Source, Refusal> {
    match request.images.as_slice() {
        [ImageRef::Path(path)] if path.is_absolute() => Ok(Source::File(path.clone())),
        [ImageRef::Path(path)] => Err(Refusal::bad_request(format!(
            "{:?} is not an absolute path, and the runtime's directory is not yours",
            path.display().to_string()
        ))),
        [ImageRef::Digest(digest)] => Ok(Source::Stored(*digest)),
        [] => Err(Refusal::bad_request("images is empty: there is nothing to load")),
        [_, _, ..] => Err(Refusal::bad_request(
            "images has several entries; sets that are replaced as one come in a later release, and for now each image is \
             a load of its own",
        )),
    }
}
