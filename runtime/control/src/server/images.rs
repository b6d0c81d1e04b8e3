//! `PUT /v1/images`: takes a file's bytes, for a later load by digest.

use axum::{
    Json,
    extract::{self, Request},
};

use super::{asked::Asker, extract::read_body, refusal::Refusal, state::State};
use crate::api::ImageAnswer;

pub(super) async fn put(
    extract::State(state): extract::State<State>,
    Asker(asked): Asker,
    request: Request,
) -> Result<Json<ImageAnswer>, Refusal> {
    let _upload = state.upload()?;
    let bytes = read_body(request, state.limits.image_bytes_max, &state.limits).await?;
    if bytes.is_empty() {
        return Err(Refusal::bad_request("the body is empty; it is to be the bytes of a .so"));
    }
    let digest = state.command(asked, move |runtime| runtime.put_image(&bytes)).await?;
    Ok(Json(ImageAnswer { digest }))
}
