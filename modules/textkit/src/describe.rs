//! `GET /`: what this module is, and what it can be asked.

use serde::Serialize;

use crate::{Textkit, answer::Answer, markdown, route::ROUTES};

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    version: &'a str,
    markdown_extensions: &'a [&'a str],
    routes: Vec<RouteDescription>,
}

#[derive(Serialize)]
struct RouteDescription {
    method: &'static str,
    path: &'static str,
    answers: &'static str,
}

/// Describes the module.
pub(crate) fn answer(textkit: &Textkit) -> Answer {
    Answer::json(&Description {
        name: textkit.name,
        version: textkit.version,
        markdown_extensions: markdown::EXTENSIONS,
        routes: ROUTES
            .iter()
            .map(|route| RouteDescription { method: route.method, path: route.path, answers: route.answers })
            .collect(),
    })
}
