//! The table of routes, and the search in it.

use segue_sdk::prelude::*;

use crate::{
    Textkit,
    answer::{Answer, Refusal},
    describe, markdown, pointer,
    route::Route,
    search,
};

/// All routes.
const ROUTES: &[Route] = &[
    Route { method: "GET", path: "/", answers: "this description", run: describe_routes },
    Route {
        method: "POST",
        path: "/markdown",
        answers: "the Markdown in the body, as an HTML fragment",
        run: |_, request| markdown::answer(request),
    },
    Route {
        method: "POST",
        path: "/json/pointer?p=",
        answers: "the value at the JSON pointer p (RFC 6901) in the body",
        run: |_, request| pointer::answer(request),
    },
    Route {
        method: "POST",
        path: "/regex?re=",
        answers: "the matches of the regular expression re in the body, with byte offsets",
        run: |_, request| search::answer(request),
    },
];

/// Answers a request by its route.
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

/// Runs the first route.
fn describe_routes(textkit: &Textkit, _: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(describe::answer(textkit, ROUTES))
}
