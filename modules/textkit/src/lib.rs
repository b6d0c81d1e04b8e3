//! A module that does real work with crates that know nothing of segue: Markdown, JSON pointers and regular expressions.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /textkit` | | what this is: name, version, routes |
//! | `POST /textkit/markdown` | Markdown | an HTML fragment, without anything that a browser would run |
//! | `POST /textkit/json/pointer?p=/a/0` | JSON | the value there, as it is written in the body |
//! | `POST /textkit/regex?re=…` | text | the matches, with byte offsets and named groups |
//!
//! Whoever asks for something that cannot be answered gets a status of 400 and above and `{"error": …}`.
//!
//! # Where things are
//!
//! Each route has a file: `describe.rs`, `markdown.rs`, `pointer.rs`, `search.rs`. What all of them give back is in `answer.rs`,
//! and which of them is asked is decided in `route.rs`.
//!
//! Version 1.0.0 is the plain build. Version 1.1.0 is built with `SEGUE_MODULE_VERSION=1.1.0` and `--features tables`, and
//! renders tables and strikethrough too, so that the two can be told apart by what they answer.

mod answer;
mod describe;
mod markdown;
mod pointer;
mod route;
mod search;

use segue_sdk::prelude::*;

struct Textkit {
    name: &'static str,
    version: &'static str,
}

impl Module for Textkit {
    fn on_load(host: &Host) -> Result<Self, Fault> {
        tracing::info!(extensions = ?markdown::EXTENSIONS, "ready");
        Ok(Textkit { name: host.name(), version: host.version() })
    }

    fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        match route::answer(self, request) {
            Ok(answer) => answer.write(reply),
            Err(refusal) => refusal.write(reply),
        }
        Ok(())
    }
}

export_module!(Textkit);

#[cfg(test)]
mod tests;
