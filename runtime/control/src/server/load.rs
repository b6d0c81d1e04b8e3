//! `POST /v1/load`: makes files current, all or none.

use std::time::Duration;

use axum::{Json, extract};
use segue::{LoadOptions, Source, Trial};

use super::{
    api_error::ApiError,
    extract::{JsonBody, deadline, duration},
    request_context::CommandContext,
    state::State,
};
use crate::{
    Limits,
    api::{ImageRef, LoadRequest, LoadResponse},
};

pub(super) async fn load(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    JsonBody(request): JsonBody<LoadRequest>,
) -> Result<Json<LoadResponse>, ApiError> {
    if request.images.is_empty() {
        return Err(ApiError::bad_request("images is empty: there is nothing to load"));
    }
    let sources = request.images.iter().map(source).collect::<Result<Vec<_>, _>>()?;
    let mut options = LoadOptions { trial: trial(&request, &state.limits)?, ..LoadOptions::default() };
    if let Some(policy) = request.policy {
        options.policy = policy;
    }
    if let Some(deadline) = deadline(request.deadline_ms, &state.limits)? {
        options.deadline = deadline;
    }
    let loaded = state.command(context, move |runtime| runtime.load_set(&sources, &options)).await?;
    Ok(Json(LoadResponse { loaded }))
}

fn source(image: &ImageRef) -> Result<Source, ApiError> {
    match image {
        ImageRef::Path(path) if path.is_absolute() => Ok(Source::File(path.clone())),
        ImageRef::Path(path) => Err(ApiError::bad_request(format!(
            "{:?} is not an absolute path, and the runtime's directory is not yours",
            path.display().to_string()
        ))),
        ImageRef::Digest(digest) => Ok(Source::Stored(*digest)),
    }
}

fn trial(request: &LoadRequest, limits: &Limits) -> Result<Option<Trial>, ApiError> {
    let length = duration("trial_ms", request.trial_ms, limits.trial_max)?;
    match (length, request.trial_end) {
        (Some(Duration::ZERO), _) => Err(ApiError::bad_request(
            "trial_ms is 0: the trial would be over before anybody could confirm it",
        )),
        (None, Some(_)) => {
            Err(ApiError::bad_request("trial_end is the end of a trial, and trial_ms is not given"))
        }
        (length, at_end) => Ok(length.map(|length| Trial { length, at_end: at_end.unwrap_or_default() })),
    }
}
