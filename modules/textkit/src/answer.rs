//! What a route gives back: an answer, or a refusal that says what the client did wrong.

use segue_sdk::prelude::*;
use serde::Serialize;

/// The content type of JSON; it is UTF-8 by definition.
const JSON: &str = "application/json";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    content_type: &'static str,
    body: Vec<u8>,
}

/// Why a request cannot be answered: the client's mistake, in words for the client.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The path is none of ours.
    NoSuchRoute,
    /// The path exists, for other methods.
    WrongMethod {
        /// The methods it exists for.
        allow: &'static str,
    },
    /// The body is no UTF-8.
    NotText {
        /// The offset of the first byte that is none.
        at: usize,
    },
    /// The body is no JSON.
    BadJson(serde_json::Error),
    /// A parameter is missing, or makes no sense.
    BadParameter {
        /// The parameter.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The JSON pointer leads to no value.
    NothingThere {
        /// The pointer.
        pointer: String,
    },
    /// The answer would be too long.
    TooManyMatches {
        /// How many are allowed.
        max: usize,
    },
}

/// A refusal, as it is written.
#[derive(Serialize)]
struct Complaint {
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
        let body = serde_json::to_vec(value).expect("our own types have text keys and no failing parts");
        Answer { content_type: JSON, body }
    }

    pub(crate) fn write(&self, reply: &mut Reply<'_>) {
        reply.header("content-type", self.content_type).write(&self.body);
    }
}

// === impl Refusal ===

impl Refusal {
    fn status(&self) -> u16 {
        match self {
            Refusal::NoSuchRoute | Refusal::NothingThere { .. } => 404,
            Refusal::WrongMethod { .. } => 405,
            Refusal::NotText { .. } | Refusal::BadJson(_) | Refusal::BadParameter { .. } => 400,
            Refusal::TooManyMatches { .. } => 422,
        }
    }

    fn complaint(&self) -> Complaint {
        let (line, column) = match self {
            Refusal::BadJson(error) => (Some(error.line()), Some(error.column())),
            _ => (None, None),
        };
        let error = match self {
            Refusal::NoSuchRoute => "there is nothing here; GET / lists the routes".to_owned(),
            Refusal::WrongMethod { allow } => format!("only {allow} works here"),
            Refusal::NotText { at } => format!("the body is not UTF-8 at byte {at}"),
            Refusal::BadJson(error) => format!("the body is not JSON: {error}"),
            Refusal::BadParameter { name, reason } => format!("the parameter {name}: {reason}"),
            Refusal::NothingThere { pointer } => format!("there is nothing at {pointer:?}"),
            Refusal::TooManyMatches { max } => format!("there are more than {max} matches"),
        };
        Complaint { error, line, column }
    }

    pub(crate) fn write(&self, reply: &mut Reply<'_>) {
        reply.status(self.status());
        if let Refusal::WrongMethod { allow } = self {
            reply.header("allow", allow);
        }
        Answer::json(&self.complaint()).write(reply);
    }
}
