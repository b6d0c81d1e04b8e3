//! A module that does real work with ordinary crates: Markdown, JSON pointers and regular expressions.
//!
//! | request | body | reply |
//! | --- | --- | --- |
//! | `GET /textkit` | | a description: name, version, routes |
//! | `POST /textkit/markdown` | Markdown | an HTML fragment that contains nothing a browser would run |
//! | `POST /textkit/json/pointer?p=/a/0` | JSON | the value at the pointer, exactly as the body spells it |
//! | `POST /textkit/regex?re=…` | text | the matches, with byte offsets and named groups |
//!
//! A request that cannot be answered gets a status from 400 on, and the body `{"error": …}`.
//!
//! # Files
//!
//! `router.rs` has the table of routes. Each route has a file: `describe.rs`, `markdown.rs`, `pointer.rs`,
//! `search.rs`. All of them return an `Answer` or a `Refusal` (`answer.rs`).
//!
//! Version 1.0.0 is the plain build. Version 1.1.0 is built with `SEGUE_MODULE_VERSION=1.1.0` and `--features
//! tables`. It also renders tables and strikethrough, so that the replies of the two versions differ.

mod answer;
mod body;
mod describe;
mod markdown;
mod pointer;
mod route;
mod router;
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
        match router::answer(self, request) {
            Ok(answer) => answer.write(reply),
            Err(refusal) => refusal.write(reply),
        }
        Ok(())
    }
}

export_module!(Textkit);

#[cfg(test)]
mod tests;
