//! Error responses: the error object, with the HTTP status that matches its code.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use segue::{Code, ErrorObject};
use tokio::task::JoinError;

use crate::api::ErrorBody;

/// An error response.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    error: Box<ErrorObject>,
}

// === impl ApiError ===

impl ApiError {
    fn new(code: Code, message: impl Into<String>, hint: Option<&str>) -> Self {
        let error = ErrorObject {
            code,
            step: None,
            module: None,
            message: message.into(),
            hint: hint.map(str::to_owned),
            members: Vec::new(),
        };
        ApiError { status: status_of(code), error: Box::new(error) }
    }

    /// The request is malformed or contradicts itself.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        ApiError::new(Code::BadRequest, message, Some("GET /openapi.json describes every request"))
    }

    /// The body of the request exceeds its limit.
    pub(super) fn too_large(bytes_max: usize) -> Self {
        ApiError::new(Code::TooLarge, format!("the body exceeds the limit of {bytes_max} bytes"), None)
    }

    /// A limit on concurrent requests of one kind is reached.
    pub(super) fn busy(what: &str) -> Self {
        ApiError::new(
            Code::Busy,
            format!("too many {what} at once"),
            Some("try again after one of them has ended"),
        )
    }

    /// The path has no route.
    pub(super) fn no_such_path(path: &str) -> Self {
        ApiError::new(
            Code::NotFound,
            format!("unknown path {path}"),
            Some("GET /openapi.json describes every request"),
        )
    }

    /// The path has a route, but not for this method.
    pub(super) fn method_not_allowed(method: &http::Method, path: &str) -> Self {
        ApiError {
            status: StatusCode::METHOD_NOT_ALLOWED,
            ..ApiError::bad_request(format!("{path} does not support {method}"))
        }
    }

    /// The server did not record the peer of the connection. This is a bug.
    pub(super) fn unknown_peer() -> Self {
        ApiError::new(Code::Internal, "the server did not record which process sent the request", None)
    }

    /// The thread that handled the request panicked.
    pub(super) fn panicked(error: JoinError) -> Self {
        tracing::error!(%error, "a request on the control socket panicked");
        ApiError::new(
            Code::Internal,
            "the runtime panicked while it handled the request",
            Some("the log of the runtime has the details"),
        )
    }
}

impl From<segue::Error> for ApiError {
    fn from(error: segue::Error) -> Self {
        let error = ErrorObject::from(&error);
        ApiError { status: status_of(error.code), error: Box::new(error) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: *self.error })).into_response()
    }
}

/// The HTTP status for an error code.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::BadRequest => StatusCode::BAD_REQUEST,
        Code::Denied => StatusCode::FORBIDDEN,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::NotPurged | Code::NothingToRollBack | Code::Sticky | Code::Busy => StatusCode::CONFLICT,
        Code::Deadline => StatusCode::GATEWAY_TIMEOUT,
        Code::Unreachable => StatusCode::BAD_GATEWAY,
        Code::Internal | Code::Noexec => StatusCode::INTERNAL_SERVER_ERROR,
        // All other codes describe a fault in a file.
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_code_has_its_http_status() {
        let statuses = [
            ("not_found", 404),
            ("bad_elf", 422),
            ("missing_symbol", 422),
            ("missing_version", 422),
            ("missing_library", 422),
            ("executable_stack", 422),
            ("library_overwritten", 422),
            ("link_failed", 422),
            ("noexec", 500),
            ("wrong_machine", 422),
            ("on_load_failed", 422),
            ("not_purged", 409),
            ("nothing_to_roll_back", 409),
            ("sticky", 409),
            ("busy", 409),
            ("deadline", 504),
            ("denied", 403),
            ("bad_request", 400),
            ("too_large", 413),
            ("internal", 500),
        ];
        for (name, status) in statuses {
            let code: Code = serde_json::from_value(name.into()).unwrap();
            assert_eq!(status_of(code).as_u16(), status, "{name}");
        }
    }
}
