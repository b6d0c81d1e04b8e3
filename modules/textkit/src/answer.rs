//! What a route returns: an answer, or a refusal that names the client's mistake.

use segue_sdk::prelude::*;
use serde::Serialize;

/// The content type of JSON. JSON is always UTF-8, so it has no charset.
const JSON: &str = "application/json";

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    content_type: &'static str,
    body: Vec<u8>,
}

/// Why a request cannot be answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No route has the path.
    NoSuchRoute,
    /// The route does not allow the method.
    WrongMethod {
        /// The methods that it allows.
        allow: &'static str,
    },
    /// The body is not UTF-8.
    NotText {
        /// The offset of the first invalid byte.
        at: usize,
    },
    /// The body is not JSON.
    BadJson(serde_json::Error),
    /// A parameter is missing or invalid.
    BadParameter {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The body has no value at the JSON pointer.
    NoValue {
        /// The pointer.
        pointer: String,
    },
    /// The answer would be too long.
    TooManyMatches {
        /// The limit.
        max: usize,
    },
}

/// The JSON of a refusal.
#[derive(Serialize)]
struct ErrorBody {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

// === impl Answer ===

impl Answer {
    /// An HTML fragment.
    pub(crate) fn html(fragment: String) -> Self {
        Answer { content_type: "text/html; charset=utf-8", body: fragment.into_bytes() }
    }

    /// A value as JSON.
    pub(crate) fn json(value: &(impl Serialize + ?Sized)) -> Self {
        let body = serde_json::to_vec(value)
            .expect("the module's types have text keys, and serialize without errors");
        Answer { content_type: JSON, body }
    }

    pub(crate) fn write(&self, reply: &mut Reply<'_>) {
        reply.header("content-type", self.content_type).write(&self.body);
    }
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn write(&self, reply: &mut Reply<'_>) {
        reply.status(self.status());
        if let Refusal::WrongMethod { allow } = self {
            reply.header("allow", allow);
        }
        Answer::json(&self.body()).write(reply);
    }

    fn status(&self) -> u16 {
        match self {
            Refusal::NotText { .. } | Refusal::BadJson(_) | Refusal::BadParameter { .. } => 400,
            Refusal::NoSuchRoute | Refusal::NoValue { .. } => 404,
            Refusal::WrongMethod { .. } => 405,
            Refusal::TooManyMatches { .. } => 422,
        }
    }

    fn body(&self) -> ErrorBody {
        let (line, column) = match self {
            Refusal::BadJson(error) => (Some(error.line()), Some(error.column())),
            _ => (None, None),
        };
        let error = match self {
            Refusal::NoSuchRoute => "no such route; GET / lists the routes".to_owned(),
            Refusal::WrongMethod { allow } => format!("method not allowed; use {allow}"),
            Refusal::NotText { at } => format!("the body is not UTF-8 at byte {at}"),
            Refusal::BadJson(error) => format!("the body is not JSON: {error}"),
            Refusal::BadParameter { name, reason } => format!("parameter {name}: {reason}"),
            Refusal::NoValue { pointer } => format!("the body has no value at {pointer:?}"),
            Refusal::TooManyMatches { max } => {
                format!("more than {max} matches; use a more specific expression or a shorter text")
            }
        };
        ErrorBody { error, line, column }
    }
}
