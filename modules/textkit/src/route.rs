//! Which route is asked.

use segue_sdk::prelude::*;

use crate::{
    Textkit,
    answer::{Answer, Refusal},
    describe, markdown, pointer, search,
};

/// One thing that can be asked.
pub(crate) struct Route {
    /// The method that it takes.
    pub(crate) method: &'static str,
    /// Its path inside the module.
    pub(crate) path: &'static str,
    /// What it answers, for whoever reads the description.
    pub(crate) answers: &'static str,
    run: fn(&Textkit, &Request<'_>) -> Result<Answer, Refusal>,
}

/// All that can be asked.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/",
        answers: "this description",
        run: |textkit, _| Ok(describe::answer(textkit)),
    },
    Route {
        method: "POST",
        path: "/markdown",
        answers: "the Markdown in the body, as an HTML fragment",
        run: |_, request| markdown::answer(request),
    },
    Route {
        method: "POST",
        path: "/json/pointer?p=",
        answers: "the value of the JSON in the body to which the JSON pointer p leads (RFC 6901)",
        run: |_, request| pointer::answer(request),
    },
    Route {
        method: "POST",
        path: "/regex?re=",
        answers: "the matches of the regular expression re in the body, with byte offsets",
        run: |_, request| search::answer(request),
    },
];

/// Answers a request, or says why not.
pub(crate) fn answer(textkit: &Textkit, request: &Request<'_>) -> Result<Answer, Refusal> {
    let path = match request.path().trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let route = ROUTES.iter().find(|route| route.bare_path() == path).ok_or(Refusal::NoSuchRoute)?;
    if !route.allow().split(", ").any(|method| method == request.method()) {
        return Err(Refusal::WrongMethod { allow: route.allow() });
    }
    (route.run)(textkit, request)
}

/// The body, where it is text.
pub(crate) fn text<'a>(request: &Request<'a>) -> Result<&'a str, Refusal> {
    request.text().map_err(|error| Refusal::NotText { at: error.valid_up_to() })
}

// === impl Route ===

impl Route {
    /// The methods that it takes, as the header `allow` has them. What can be got can be asked for without its body, which
    /// the server then leaves out.
    fn allow(&self) -> &'static str {
        if self.method == "GET" { "GET, HEAD" } else { self.method }
    }

    /// The path without the parameter that it needs.
    fn bare_path(&self) -> &'static str {
        self.path.split_once('?').map_or(self.path, |(path, _)| path)
    }
}
