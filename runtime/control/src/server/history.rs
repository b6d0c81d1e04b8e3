//! `GET /v1/history`: what has happened, out of the ledger, also before this runtime began.

use axum::{Json, extract};
use segue::Record;
use serde::Deserialize;

use super::{api_error::ApiError, extract::Params, state::State};

/// How many events are told where the request does not say.
const LIMIT: usize = 200;

/// What a request may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryParams {
    module: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn history(
    extract::State(state): extract::State<State>,
    Params(HistoryParams { module, limit }): Params<HistoryParams>,
) -> Result<Json<Vec<Record>>, ApiError> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=state.limits.history_max).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit is to be from 1 to {}", state.limits.history_max)));
    }
    let look = move |runtime: &segue::Runtime| {
        let records = runtime.history(module.as_deref(), limit)?;
        // A name that is misspelt is not to look like a module to which nothing has happened.
        match module.filter(|_| records.is_empty()) {
            Some(module) => runtime.status(&module).map(|_| records),
            None => Ok(records),
        }
    };
    state.query(look).await.map(Json)
}
