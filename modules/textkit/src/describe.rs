//! `GET /`: a description of the module and its routes.

use serde::Serialize;

use crate::{Textkit, answer::Answer, markdown, route::Route};

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    version: &'a str,
    markdown_extensions: &'a [&'a str],
    routes: &'a [Route],
}

/// Describes the module.
pub(crate) fn answer(textkit: &Textkit, routes: &[Route]) -> Answer {
    let Textkit { name, version } = textkit;
    Answer::json(&Description { name, version, markdown_extensions: markdown::EXTENSIONS, routes })
}
