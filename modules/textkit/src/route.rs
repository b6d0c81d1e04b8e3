//! One route of the module.

use segue_sdk::prelude::*;
use serde::Serialize;

use crate::{
    Textkit,
    answer::{Answer, Refusal},
};

/// A route. Its JSON is part of the module's description.
#[derive(Serialize)]
pub(crate) struct Route {
    /// The request method.
    pub(crate) method: &'static str,
    /// The path inside the module, with the parameter that the route needs.
    pub(crate) path: &'static str,
    /// The reply, for the reader of the description.
    pub(crate) answers: &'static str,
    #[serde(skip)]
    pub(crate) run: fn(&Textkit, &Request<'_>) -> Result<Answer, Refusal>,
}

// === impl Route ===

impl Route {
    /// The allowed methods, as in the header `allow`. A route that allows GET also allows HEAD: the server
    /// omits the body.
    pub(crate) fn allow(&self) -> &'static str {
        if self.method == "GET" { "GET, HEAD" } else { self.method }
    }

    /// The path without its parameter.
    pub(crate) fn bare_path(&self) -> &'static str {
        self.path.split_once('?').map_or(self.path, |(path, _)| path)
    }
}
