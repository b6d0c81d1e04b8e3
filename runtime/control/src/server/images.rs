//! `PUT /v1/images`: stores an uploaded image, for a later load by digest.

use axum::{
    Json,
    extract::{self, Request},
};

use crate::{
    api::PutImageResponse,
    server::{api_error::ApiError, extract::read_body, request_context::CommandContext, state::State},
};

pub(super) async fn put(
    extract::State(state): extract::State<State>,
    CommandContext(context): CommandContext,
    request: Request,
) -> Result<Json<PutImageResponse>, ApiError> {
    let _upload = state.upload_permit()?;
    let bytes = read_body(request, state.limits.image_bytes_max, &state.limits).await?;
    if bytes.is_empty() {
        return Err(ApiError::bad_request("the body is empty; send the bytes of a .so file"));
    }
    let digest = state.command(context, move |runtime| runtime.put_image(&bytes)).await?;
    Ok(Json(PutImageResponse { digest }))
}
