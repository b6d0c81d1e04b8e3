//! The body of a request.

use segue_sdk::prelude::*;

use crate::answer::Refusal;

/// The body as text.
pub(crate) fn text<'a>(request: &Request<'a>) -> Result<&'a str, Refusal> {
    request.text().map_err(|error| Refusal::NotText { at: error.valid_up_to() })
}
