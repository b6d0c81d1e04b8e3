//! `GET /v1/history`: the last events in the ledger, including those from before this runtime started.

use axum::{Json, extract};
use segue::Record;
use serde::Deserialize;

use crate::server::{api_error::ApiError, extract::Params, state::State};

/// How many events the response has if the request sets no limit.
const LIMIT_DEFAULT: usize = 200;

/// The query parameters.
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
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=state.limits.history_max).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit must be from 1 to {}", state.limits.history_max)));
    }
    let query = move |runtime: &segue::Runtime| {
        let records = runtime.history(module.as_deref(), limit)?;
        // A misspelt name must not look like a module without events.
        match module.filter(|_| records.is_empty()) {
            Some(module) => runtime.status(&module).map(|_| records),
            None => Ok(records),
        }
    };
    state.query(query).await.map(Json)
}
