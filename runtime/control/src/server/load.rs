//! `POST /v1/load`: makes files current, either all or none.

use std::time::Duration;

use axum::{Json, extract};
use segue::{LoadOptions, Source, Trial};

use crate::{
    Limits,
    api::{ImageRef, LoadRequest, LoadResponse},
    server::{
        api_error::ApiError,
        extract::{JsonBody, deadline, duration},
        request_context::CommandContext,
        state::State,
    },
};

pub(super) async fn load(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    JsonBody(request): JsonBody<LoadRequest>,
) -> Result<Json<LoadResponse>, ApiError> {
    if request.images.is_empty() {
        return Err(ApiError::bad_request("images is empty; name at least one file to load"));
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
            "{:?} is not an absolute path; the runtime may have another working directory than you",
            path.display().to_string()
        ))),
        ImageRef::Digest(digest) => Ok(Source::Stored(*digest)),
    }
}

fn trial(request: &LoadRequest, limits: &Limits) -> Result<Option<Trial>, ApiError> {
    let length = duration("trial_ms", request.trial_ms, limits.trial_max)?;
    match (length, request.trial_end) {
        (Some(Duration::ZERO), _) => Err(ApiError::bad_request(
            "trial_ms is 0, so the trial would end before anyone can confirm it; use at least 1",
        )),
        (None, Some(_)) => Err(ApiError::bad_request("trial_end needs a trial; set trial_ms as well")),
        (length, at_end) => Ok(length.map(|length| Trial { length, at_end: at_end.unwrap_or_default() })),
    }
}
